"""The promises of Gate 4's hand, kept with real keys, real tags and real git."""

import pytest

from swarm.adapters.local.attest.attestations import LocalAttestations
from swarm.adapters.local.attest.settings import AttestationSettings
from swarm.core.decision import JudgeArtifact
from swarm.core.ids import MissionId, order_key
from swarm.testing.contracts.attestations import AttestationsContract

KINDS = frozenset({"good", "missing", "forged", "moved", "unbound", "broken", "nowhere"})


class TagsWorld:
    """One commit; each kind is a repository of its own name on the same clone."""

    kinds = KINDS

    def __init__(self, place, program):
        self._place, self._program = place, program
        self._kind = ""
        public = (place.keys / "builder.pub").read_text().split()
        self._signers = place.tmp / "allowed_signers"
        self._signers.write_text(f'builder@demo namespaces="git" {public[0]} {public[1]}\n')

    def _tag(self, commit, key, target):
        git = ("git", "-C", self._place.clone)
        signed = (
            *git, "-c", "gpg.format=ssh", "-c", "user.name=B", "-c", "user.email=b@x",
            "-c", f"user.signingKey={self._place.keys / key}",
            "tag", "-f", "-s", "-m", "Release", f"attested/{commit}", target,
        )  # fmt: skip
        self._program(*signed)

    def port(self):
        settings = AttestationSettings(allowed_signers=self._signers)
        bound = {} if self._kind == "unbound" else {"app": settings}
        if self._kind == "broken":
            self._signers.unlink(missing_ok=True)
        return LocalAttestations(bound, self._place.forge, self._place.tmp / "attest")

    def order(self, kind):
        if kind != self._kind:
            self._kind = kind
            commit, older = self._place.commit, self._place.older
            if kind in {"good", "broken", "unbound"}:
                self._tag(commit, "builder", commit)
            if kind == "forged":
                self._tag(commit, "other", commit)
            if kind == "moved":
                self._tag(commit, "builder", older)
        commit = "0123456789" * 4 if kind == "nowhere" else self._place.commit
        mission = MissionId("m-1")
        return JudgeArtifact(
            key=order_key(mission, "judge-artifact", commit), mission=mission,
            mission_class="c", policy_hash="p", repo="app", commit=commit,
        )  # fmt: skip


class TestLocalAttestations(AttestationsContract):
    @pytest.fixture
    def world(self, place, program):
        return TagsWorld(place, program)
