"""Which need a signal belongs to: an equal one, one it was merged into before, or an alike one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import AsyncConnection

from swarm.core.ids import NeedId
from swarm.core.nouns import Signal

from .statements import statements

if TYPE_CHECKING:
    from swarm.core.likeness import Signatures


@dataclass(frozen=True, slots=True)
class Text:
    """A signal with what it is compared by.

    id:    of the need it makes when it stands alone.
    words: the normalised text; None when only an equal one counts.
    finding: known by rule and path.
    """

    signal: Signal
    id: NeedId
    words: str | None
    scope: str
    finding: bool


@dataclass(frozen=True, slots=True)
class Match:
    """The need that a text belongs to.

    remembered: the store knows it already.    bands, signature: of a text that is new to it.
    """

    need: NeedId
    remembered: bool
    bands: Sequence[int] = ()
    signature: bytes | None = None


async def match(connection: AsyncConnection[Any], texts: Sequence[Text]) -> Mapping[NeedId, Match]:
    """The need of every text, by the id that it would have alone."""
    ids = sorted({text.id for text in texts})
    if all(text.finding for text in texts):
        # A finding is never merged by likeness, so its need has no other name.
        return {id_: Match(id_, remembered=True) for id_ in ids}
    found = await connection.execute(statements("intake")["resolve"], {"ids": ids})
    matches = {id_: Match(need, remembered=True) for id_, need in await found.fetchall()}
    words = {text.id: text for text in texts if text.id not in matches and text.words is not None}
    if words:
        matches.update(await _by_likeness(connection, [words[id_] for id_ in sorted(words)]))
    for id_ in ids:
        matches.setdefault(id_, Match(id_, remembered=False))
    return matches


async def _by_likeness(
    connection: AsyncConnection[Any], texts: Sequence[Text]
) -> dict[NeedId, Match]:
    """Alike needs in the store first, then alike texts that came earlier in this batch."""
    from swarm.core import likeness  # noqa: PLC0415 - numpy; a reading verb never comes here

    signatures = likeness.signatures([text.words or "" for text in texts])
    bands = likeness.bands(signatures, [text.scope for text in texts]).tolist()
    stored = await _stored(connection, signatures, bands)
    matches: dict[NeedId, Match] = {}
    shelf: dict[int, list[int]] = {}
    for place, (text, own) in enumerate(zip(texts, bands, strict=True)):
        alike = stored.get(place) or _on_shelf(shelf, own, signatures, place, texts)
        if alike is not None:
            matches[text.id] = Match(alike, remembered=False)
            continue
        data = likeness.to_bytes(signatures[place])
        matches[text.id] = Match(text.id, remembered=False, bands=own, signature=data)
        for band in own:
            shelf.setdefault(band, []).append(place)
    return matches


async def _stored(
    connection: AsyncConnection[Any], signatures: Signatures, bands: list[list[int]]
) -> dict[int, NeedId]:
    """The most alike stored need of each place that has one; ties go to the smaller id."""
    from swarm.core import likeness  # noqa: PLC0415

    asked = {
        "places": list(range(len(bands))),
        "bands": ["{" + ",".join(map(str, own)) + "}" for own in bands],
    }
    found = await connection.execute(statements("intake")["alike"], asked)
    rows = await found.fetchall()
    if not rows:
        return {}
    candidates = likeness.from_bytes([row[2] for row in rows])
    places = [row[0] for row in rows]
    shares = (candidates == signatures[places]).mean(axis=1)
    best: dict[int, tuple[float, NeedId]] = {}
    for place, (_, need, _), share in zip(places, rows, shares.tolist(), strict=True):
        rival = best.get(place)
        if share >= likeness.ALIKE and (rival is None or (-share, need) < (-rival[0], rival[1])):
            best[place] = (share, need)
    return {place: need for place, (_, need) in best.items()}


def _on_shelf(
    shelf: Mapping[int, list[int]],
    own: Sequence[int],
    signatures: Signatures,
    place: int,
    texts: Sequence[Text],
) -> NeedId | None:
    from swarm.core import likeness  # noqa: PLC0415

    near = sorted({other for band in own for other in shelf.get(band, ())})
    if not near:
        return None
    shares = likeness.similarity(signatures[place], signatures[near])
    best = int(shares.argmax())
    return texts[near[best]].id if shares[best] >= likeness.ALIKE else None
