"""The promises of `ports.sources.Source`."""

# ruff: noqa: S101 - a suite asserts
from __future__ import annotations

import asyncio
import unicodedata
from datetime import datetime
from typing import Protocol

import pytest

from swarm.contract.errors import SourceDown
from swarm.core.nouns import Signal
from swarm.ports.sources import Reading, Source

MOST_SIGNALS = 1_000
PATIENCE = 30  #: seconds in which every source answers or is down
DOWN = ("gone", "garbage", "huge", "slow", "changed")
CURSORS = ("nonsense", "{}", "[]", "null", '{"v": 99}', "\x00", "9" * 5_000)


class SourceWorld(Protocol):
    """Where sources can be read. `kind` is one of good, flood, hostile, broken and those in DOWN.

    good says two things, and a third one after `say_more`; flood says 2,500; hostile says one,
    with hidden, invisible and terminal characters in it; broken says one good thing among
    malformed ones. gone does not answer, garbage answers with random bytes, huge with more than
    may be, slow never ends within its timeout of about a second, changed with well-formed data
    of another kind.
    """

    def source(self, kind: str) -> Source:
        """A new source on the same ground, as another controller or after a restart."""

    def say_more(self) -> None:
        """Have `good` say one more thing from now on."""

    def now(self) -> datetime:
        """The instant that sources take for the present."""


async def everything(source: Source, cursor: str = "") -> tuple[list[Signal], list[str], str]:
    """All signals and refusals of one reading, and the cursor after it."""
    signals: list[Signal] = []
    refused: list[str] = []
    async with asyncio.timeout(PATIENCE):
        async for reading in source.read(cursor):
            assert isinstance(reading, Reading)
            assert len(reading.signals) <= MOST_SIGNALS
            signals += reading.signals
            refused += reading.refused
            cursor = reading.cursor
    return signals, refused, cursor


class SourceContract:
    """Inherit it and provide a fixture `world` that is a `SourceWorld`."""

    @pytest.mark.req("LOOP-2")
    async def test_every_signal_says_where_it_comes_from(self, world: SourceWorld) -> None:
        """Source, origin, citation, time and hash; none of it may be missing."""
        source = world.source("good")
        signals, refused, _ = await everything(source)
        assert (len(signals), refused) == (2, [])
        for signal in signals:
            assert signal.source == source.name
            assert signal.origin
            assert signal.citation
            assert signal.title.strip()
            assert len(signal.content_hash) == 64  # noqa: PLR2004 - a SHA-256 in hexadecimal
            assert signal.observed_at.tzinfo is not None
            assert signal.observed_at <= world.now()
            assert 0 <= signal.trust <= 1

    @pytest.mark.req("LOOP-2", "OWN-3")
    async def test_reading_again_from_the_same_cursor_says_the_same(
        self, world: SourceWorld
    ) -> None:
        """A crash before the signals were stored loses nothing and doubles nothing."""
        first, _, _ = await everything(world.source("good"))
        again, _, _ = await everything(world.source("good"))
        assert {signal.id for signal in first} == {signal.id for signal in again}

    @pytest.mark.req("LOOP-2")
    async def test_nothing_new_is_nothing_said(self, world: SourceWorld) -> None:
        """Not even an empty reading with a new cursor: a quiet source causes no write."""
        _, _, cursor = await everything(world.source("good"))
        async with asyncio.timeout(PATIENCE):
            readings = [reading async for reading in world.source("good").read(cursor)]
        assert not [r for r in readings if r.signals or r.cursor != cursor]

    @pytest.mark.req("LOOP-2")
    async def test_only_what_is_new_is_said(self, world: SourceWorld) -> None:
        """The cursor is enough for that, also after a restart."""
        first, _, cursor = await everything(world.source("good"))
        world.say_more()
        more, _, cursor = await everything(world.source("good"), cursor)
        assert not {signal.title for signal in more} & {signal.title for signal in first}
        assert len(more) == 1
        assert await everything(world.source("good"), cursor) == ([], [], cursor)

    @pytest.mark.req("LOOP-2")
    @pytest.mark.parametrize("cursor", CURSORS, ids=lambda cursor: cursor[:8])
    async def test_a_cursor_that_cannot_be_read_begins_afresh(
        self, world: SourceWorld, cursor: str
    ) -> None:
        """It may come from another release, or from other settings."""
        assert len((await everything(world.source("good"), cursor))[0]) == 2  # noqa: PLR2004

    @pytest.mark.req("LOOP-2")
    async def test_a_flood_comes_in_portions_and_whole(self, world: SourceWorld) -> None:
        """Only the last portion moves the cursor, so a crash in between repeats and loses none."""
        cursors, ids = [], []
        async for reading in world.source("flood").read(""):
            assert len(reading.signals) <= MOST_SIGNALS
            cursors.append(reading.cursor)
            ids += [signal.id for signal in reading.signals]
        assert len(set(ids)) == len(ids) == 2_500  # noqa: PLR2004 - what a flood says
        assert set(cursors[:-1]) == {""}

    @pytest.mark.req("LOOP-2", "GATE-1")
    async def test_hostile_text_is_stripped_and_flagged(self, world: SourceWorld) -> None:
        """Nothing that a person would not see gets through, in any field."""
        (signal,), _, _ = await everything(world.source("hostile"))
        assert {"hidden_text", "invisible_unicode"} <= set(signal.flags)
        for text in (signal.title, signal.body, signal.author, signal.citation, signal.rule):
            seen = text.replace("\n", "")
            assert all(unicodedata.category(character)[0] != "C" for character in seen)
            assert "<!--" not in text

    @pytest.mark.req("LOOP-2")
    async def test_what_is_malformed_is_refused_and_the_rest_is_kept(
        self, world: SourceWorld
    ) -> None:
        """Each refusal says in one harmless line which entry and why."""
        signals, refused, _ = await everything(world.source("broken"))
        assert len(signals) == 1
        assert refused
        assert all(text.isprintable() and len(text) <= 400 for text in refused)  # noqa: PLR2004

    @pytest.mark.req("FAIL-4")
    @pytest.mark.parametrize("kind", DOWN)
    async def test_a_source_that_cannot_be_read_is_down(
        self, world: SourceWorld, kind: str
    ) -> None:
        """Never an empty answer, never another error, never longer than its timeout."""
        with pytest.raises(SourceDown) as caught:
            await everything(world.source(kind))
        assert caught.value.message
        assert caught.value.fix

    @pytest.mark.req("LOOP-2")
    async def test_one_bad_source_changes_nothing_for_a_good_one(self, world: SourceWorld) -> None:
        """All at once: the good one says what it says alone."""
        alone, _, _ = await everything(world.source("good"))
        bad = [everything(world.source(kind)) for kind in (*DOWN, "hostile", "broken", "flood")]
        good, *others = await asyncio.gather(
            everything(world.source("good")), *bad, return_exceptions=True
        )
        assert not isinstance(good, BaseException)
        assert {signal.id for signal in good[0]} == {signal.id for signal in alone}
        faults = [one for one in others if isinstance(one, BaseException)]
        assert all(isinstance(fault, SourceDown) for fault in faults)
        assert len(faults) == len(DOWN)

    @pytest.mark.req("LOOP-2")
    async def test_a_reading_can_be_given_up_at_any_time(self, world: SourceWorld) -> None:
        """Cancelling ends it at once; the next reading is whole."""
        reading = asyncio.create_task(everything(world.source("slow")))
        await asyncio.sleep(0.1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert len((await everything(world.source("good")))[0]) == 2  # noqa: PLR2004
