"""Collects what one reading brings: signals, refused entries, and the readings to hand on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from swarm.core.nouns import Signal
from swarm.core.policy.cleaning import Form, clean_line
from swarm.ports.signal_line import Bearing, SignalLine, refusal, to_signal
from swarm.ports.source_settings import Place, SourceSettings
from swarm.ports.sources import Reading

PER_READING = 1_000  #: signals in one `Reading`, as the port promises
MOST_REFUSED = 100  #: refused entries that are told one by one; more are counted
ID_LENGTH = 200


class Refusals:
    """What was malformed, entry by entry, in harmless words and never more than a page."""

    def __init__(self) -> None:
        self._told: list[str] = []
        self._more = 0

    def add(self, text: str) -> None:
        """Note one refused entry."""
        if len(self._told) < MOST_REFUSED:
            self._told.append(clean_line(text, Form.PLAIN, 400).text)
        else:
            self._more += 1

    def all(self) -> tuple[str, ...]:
        """What to hand on with a reading."""
        more = (f"and {self._more} more refused entries",) if self._more else ()
        return (*self._told, *more)


class Gathering:
    """Makes signals of statements, one at a time; a bad one is refused and the rest is kept."""

    def __init__(self, settings: SourceSettings, place: Place, bearing: Bearing) -> None:
        self.settings = settings
        self.place = place
        self.bearing = bearing
        self.signals: list[Signal] = []
        self.refusals = Refusals()

    def take(self, where: str, line: SignalLine, external_id: str) -> bool:
        """Make one statement a signal; False when it was refused. `where` names the entry."""
        try:
            signal = to_signal(line, self.settings, self.place, self.bearing, external_id)
        except ValueError as error:
            self.refusals.add(f"{where}: {error}")
            return False
        self.signals.append(signal)
        return True

    @property
    def full(self) -> bool:
        """True when this reading may bring no more."""
        return len(self.signals) >= self.settings.max_signals


def read_line(where: str, data: object, refusals: Refusals) -> SignalLine | None:
    """One entry as a statement; None, with a refusal that names the field, if it is none."""
    if isinstance(data, dict):
        data = {
            key: _whole(value) if isinstance(value, str) else value for key, value in data.items()
        }
    try:
        return SignalLine.model_validate(data)
    except ValidationError as error:
        refusals.add(refusal(where, error))
        return None


def _whole(text: str) -> str:
    """The text with half characters replaced: JSON can spell what no encoding can store.

    APIs that cut texts cut emoji in two, so this alone is no reason to refuse an entry.
    """
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def own_id(text: str) -> str:
    """A source's id for an entry in a form that can be stored: short ones as they are."""
    plain = clean_line(text[:4_096], Form.PLAIN, ID_LENGTH).text
    if plain == text:
        return text
    return "h-" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def in_readings(
    signals: Sequence[Signal], cursors: tuple[str, str], refused: tuple[str, ...], *, known: bool
) -> Iterator[Reading]:
    """Readings of at most 1,000 signals; only the last one moves the cursor.

    cursors: before and after. One of which nothing was understood moves none: it is read again.
    known:   whether there was something that had been told before.

    A crash in between reads the first ones again: their ids are the same, so nothing doubles.
    Nothing at all is yielded when nothing is new.
    """
    before, after = cursors
    if not signals and not refused and before == after:
        return
    if refused and not signals and not known:
        yield Reading(signals=(), cursor=before, refused=refused, understood=False)
        return
    cuts = range(0, max(len(signals), 1), PER_READING)
    for cut in cuts:
        part = tuple(signals[cut : cut + PER_READING])
        last = cut + PER_READING >= len(signals)
        yield Reading(
            signals=part, cursor=after if last else before, refused=refused if last else ()
        )
