"""Which findings of a report are news: pure, and kept as the cursor of a command source.

A linter says the same thing at every reading. A finding is told when it appears, and again once
per `repeat_after` while it stands; moving to another line does not make it another finding.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from swarm.ports.signal_line import SignalLine

MOST_STANDING = 50_000  #: findings remembered; a cursor of 12 characters each is 750 kB
_KEY = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What the last reading saw.

    of:       hash of what the findings depend on besides the commit: the settings.
    commit:   the commit that was looked at; empty when it must be looked at again.
    slot:     number of the `repeat_after` period that the findings were told in.
    keys:     the findings that stood and were told in that period.
    """

    of: str = ""
    commit: str = ""
    slot: int = -1
    keys: frozenset[str] = frozenset()

    def as_cursor(self) -> str:
        """The cursor to store."""
        body = {"v": 1, "of": self.of, "commit": self.commit, "slot": self.slot}
        return json.dumps({**body, "keys": "".join(sorted(self.keys))}, separators=(",", ":"))


def from_cursor(cursor: str, of: str) -> Remembered:
    """What a cursor says; nothing, if there is none or it belongs to other settings."""
    try:
        data = json.loads(cursor) if cursor else {}
        if data.get("v") != 1 or data["of"] != of:
            return Remembered(of=of)
        text = str(data["keys"])
        keys = frozenset(text[at : at + _KEY] for at in range(0, len(text), _KEY))
        return Remembered(of=of, commit=str(data["commit"]), slot=int(data["slot"]), keys=keys)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Remembered(of=of)


def keyed(lines: Sequence[SignalLine]) -> Iterator[tuple[str, SignalLine]]:
    """Each finding with a key that stays the same while code around it moves.

    Equal findings in one file are numbered, so that a third one beside two is news.
    """
    seen: Counter[str] = Counter()
    for line in lines:
        named = line.id or "\x00".join((line.rule, line.path, *line.paths, line.title))
        seen[named] += 1
        told = f"{named}\x00{seen[named]}"
        yield hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:_KEY], line


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What to tell: (external id, finding) pairs, and what stands after they were stored."""

    told: tuple[tuple[str, SignalLine], ...]
    after: Remembered


def news(
    before: Remembered, lines: Sequence[SignalLine], commit: str, slot: int, most: int
) -> News:
    """What is new since the last reading, at most `most` findings; the rest comes next time.

    commit: the commit that was looked at; "" for a folder without one.
    slot:   number of the present `repeat_after` period.
    """
    known = before.keys if before.slot == slot else frozenset()
    standing: set[str] = set()
    told: list[tuple[str, SignalLine]] = []
    complete = True
    for key, line in keyed(lines):
        if key in known:
            standing.add(key)
        elif len(told) < most and len(standing) < MOST_STANDING:
            standing.add(key)
            told.append((f"{key}@{commit[:12] or 'folder'}.{slot}", line))
        else:
            complete = False
    looked_at = commit if complete else ""
    after = Remembered(of=before.of, commit=looked_at, slot=slot, keys=frozenset(standing))
    return News(told=tuple(told), after=after)
