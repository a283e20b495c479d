"""The promises of `ports.hands.Attestations`."""

# ruff: noqa: S101 - a suite asserts
from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Protocol

import pytest

from swarm.core.decision import JudgeArtifact
from swarm.core.evidence import ArtifactJudged, ArtifactResult
from swarm.core.ids import evidence_id
from swarm.ports.hands import Attestations
from swarm.ports.reply import Later, No
from swarm.testing.contracts.asking import PAPER, WITHIN, answer, fact


class AttestationsWorld(Protocol):
    """Where commits are attested. `kind` is one of those in `kinds`.

    good is signed as the installation asks; missing bears no signature; forged is signed by a key
    that nobody trusts; moved bears the good signature of another commit; unbound is of a
    repository for which nothing is configured; broken is good, but the trusted keys cannot be
    read; nowhere is a commit that the repository does not have.
    """

    kinds: frozenset[str]

    def port(self) -> Attestations:
        """A new adapter on the same ground, as another controller or after a restart."""

    def order(self, kind: str) -> JudgeArtifact:
        """The order of this kind, the same one at every call; the world is then of this kind."""


async def _judged(world: AttestationsWorld, kind: str) -> ArtifactJudged:
    order = world.order(kind)
    said = await fact(world.port().judge, order)
    assert isinstance(said, ArtifactJudged)
    return said


def _need(world: AttestationsWorld, kind: str) -> None:
    if kind not in world.kinds:
        pytest.skip(PAPER)


@pytest.mark.req("GATE-4")
class AttestationsContract:
    """Inherit it and provide a fixture `world` that is an `AttestationsWorld`.

    A world of paper knows `good` alone; a real one knows every kind, and says so in `kinds`.
    """

    @pytest.mark.parametrize(
        ("kind", "result"),
        [
            ("good", ArtifactResult.VERIFIED),
            ("missing", ArtifactResult.REFUSED),
            ("forged", ArtifactResult.REFUSED),
            ("moved", ArtifactResult.REFUSED),
            ("unbound", ArtifactResult.NOT_CONFIGURED),
        ],
    )
    async def test_each_state_has_its_own_answer(
        self, world: AttestationsWorld, kind: str, result: ArtifactResult
    ) -> None:
        """Absence is never a pass; a pass says who signed, everything else says why not."""
        _need(world, kind)
        said, order = await _judged(world, kind), world.order(kind)
        assert said.result is result
        assert (said.commit, said.id) == (order.commit, evidence_id(order.key))
        assert bool(said.identity) is (result is ArtifactResult.VERIFIED)
        assert bool(said.reason) is (result is not ArtifactResult.VERIFIED)

    async def test_a_second_judgement_says_the_same(self, world: AttestationsWorld) -> None:
        """Also by several controllers at once; what verified is not signed again."""
        first = await _judged(world, "good")
        again = await asyncio.gather(*(_judged(world, "good") for _ in range(4)))
        assert all(replace(said, at=first.at) == first for said in again)

    async def test_keys_that_cannot_be_read_are_no_verdict(self, world: AttestationsWorld) -> None:
        """We could not ask: it backs off and counts for nothing, and it never passes."""
        _need(world, "broken")
        order = world.order("broken")
        said = await world.port().judge(order)
        assert isinstance(said, Later)
        assert said.capacity
        assert said.detail

    async def test_a_commit_that_nobody_knows_is_refused_for_good(
        self, world: AttestationsWorld
    ) -> None:
        """There will never be anything to verify."""
        _need(world, "nowhere")
        order = world.order("nowhere")
        assert isinstance(await answer(world.port().judge, order, WITHIN), No)
