"""What a drill is, and what it writes down while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from swarm.runtime.drills.sandbox import Sandbox, Seen

Fits = Callable[[Seen], bool]
HELD_SECONDS = 3.0  #: several cadences: what is not held back begins within one


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that the contract promises, and what was seen.

    seconds: after the fault was injected, where a time belongs to it.
    """

    expected: str
    observed: str
    good: bool
    seconds: float | None = None


@dataclass(slots=True)
class Protocol:
    """What one drill found. `detected` and `recovered` are seconds after the injection."""

    say: Callable[[str], None]
    findings: list[Finding] = field(default_factory=list)
    detected: float | None = None
    recovered: float | None = None
    _began: float = field(default_factory=time.monotonic)

    def inject(self, what: str) -> None:
        """Say what is broken now; times count from here."""
        self._began = time.monotonic()
        self.say(f"injected: {what}")

    @property
    def passed(self) -> bool:
        """Whether everything was as the contract says."""
        return bool(self.findings) and all(finding.good for finding in self.findings)

    def elapsed(self) -> float:
        """Seconds since the injection."""
        return time.monotonic() - self._began

    def expect(self, expected: str, corner: Sandbox, fits: Fits, within: float) -> Seen | None:
        """Wait for an event; note whether it came, and when."""
        event = corner.wait(fits, within)
        if event is None:
            self._note(expected, f"not seen within {within:.0f} s", good=False)
            return None
        words = [event.get(key) for key in ("gate", "outcome", "verdict", "reason", "detail")]
        seen = ": ".join(str(word) for word in words if word)
        self._note(expected, seen or str(event.get("event")), good=True, seconds=self.elapsed())
        return event

    def check(self, expected: str, observed: object, *, good: bool) -> None:
        """Note one thing that was looked at."""
        self._note(expected, str(observed), good=good)

    def stays(self, expected: str, corner: Sandbox, count: Callable[[], int], most: int) -> None:
        """Note whether it is so many, and no more for as long as it took others to begin."""
        corner.until(lambda: count() > most, HELD_SECONDS)
        seen = count()
        self._note(expected, str(seen), good=seen == most)

    def until(
        self, expected: str, corner: Sandbox, holds: Callable[[], bool], within: float
    ) -> bool:
        """Wait until something holds; note whether it did, and when."""
        if corner.until(holds, within):
            self._note(expected, "so it is", good=True, seconds=self.elapsed())
            return True
        self._note(expected, f"not so within {within:.0f} s", good=False)
        return False

    def note_detected(self) -> None:
        """The swarm has seen the fault."""
        self.detected = self.elapsed()

    def note_recovered(self) -> None:
        """Everything is as before, or as the contract leaves it."""
        self.recovered = self.elapsed()

    def _note(
        self, expected: str, observed: str, *, good: bool, seconds: float | None = None
    ) -> None:
        observed = " ".join(observed.split())
        observed = observed if len(observed) <= 160 else observed[:159] + "…"  # noqa: PLR2004
        self.findings.append(
            Finding(expected=expected, observed=observed, good=good, seconds=seconds)
        )
        when = "" if seconds is None else f" after {seconds:.1f} s"
        self.say(f"{'as expected' if good else 'DEVIATES'}: {expected}{when}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One fault that is injected on purpose.

    breaks:  what is broken and where, for whoever decides whether to run it.
    proves:  the requirements that say what must happen.
    target:  it needs a service that changes are rolled out to.
    """

    name: str
    breaks: str
    proves: tuple[str, ...]
    run: Callable[[Sandbox, Protocol], None]
    target: bool = False


def event_is(name: str, **fields: object) -> Fits:
    """Fits events of that name whose fields have these values."""
    return lambda seen: (
        seen.get("event") == name and all(seen.get(key) == value for key, value in fields.items())
    )
