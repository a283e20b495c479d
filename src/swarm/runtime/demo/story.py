"""Tells the demo while it happens: a real controller works, its events become sentences."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from swarm.contract.counted import counted
from swarm.runtime.events import Event
from swarm.runtime.journal import Journal

LINE_MOST = 100
EXPECTED = {"tidiness": "delivered", "speed": "rolled-back", "deprecations": "waiting"}


@dataclass(slots=True)
class Chapter:
    """One of the three missions, as far as it has been told."""

    mission: str
    title: str
    mission_class: str
    risk: int
    outcome: str = ""
    why: str = ""
    verdicts: list[str] = field(default_factory=list)


class Story:
    """Follows the controller's event log and says what it means."""

    def __init__(self, log: Path, say: Callable[[str], None]) -> None:
        self._journal, self._say = Journal(log), say
        self._began = time.monotonic()
        self.chapters: dict[str, Chapter] = {}

    def line(self, text: str) -> None:
        """One sentence with the seconds since the beginning."""
        self._say(f"{time.monotonic() - self._began:6.1f} s  {text}")

    def follow(self) -> None:
        """Tell what is new in the log."""
        for event in self._journal.fresh():
            self._tell(event)

    @property
    def finished(self) -> bool:
        """True once every expected ending was seen."""
        seen = {c.mission_class: c.outcome for c in self.chapters.values() if c.outcome}
        return all(seen.get(kind) is not None for kind in EXPECTED)

    def ended(self, mission_class: str) -> bool:
        """True once a mission of that class has an outcome or waits for a person."""
        return any(c.outcome for c in self.chapters.values() if c.mission_class == mission_class)

    def settled(self, mission_class: str) -> bool:
        """True once a mission of that class has its one outcome."""
        return any(
            c.outcome not in {"", "waiting"}
            for c in self.chapters.values()
            if c.mission_class == mission_class
        )

    @property
    def as_expected(self) -> bool:
        """True when each mission ended as the demo promises."""
        first: dict[str, str] = {}
        for chapter in self.chapters.values():
            first.setdefault(chapter.mission_class, chapter.outcome)
        approved = {**EXPECTED, "deprecations": "delivered"}  # where a person said yes meanwhile
        return first in (EXPECTED, approved)

    def _tell(self, event: dict[str, object]) -> None:
        mission = str(event.get("mission", ""))
        chapter = self.chapters.get(mission)
        match event.get("event"):
            case Event.MISSION_OPENED:
                self._opened(event)
            case Event.VERDICT_GIVEN if chapter is not None:
                self._verdict(event, chapter)
            case Event.APPROVAL_ASKED if chapter is not None:
                chapter.outcome, chapter.why = "waiting", "R2 waits for a person"
                self.line(f"{mission[:8]}  waits for you: R2 needs an approval in assisted mode")
                self._say(f'          swarmctl approve {mission[:8]} --reason "read the diff"')
            case Event.MISSION_ENDED if chapter is not None:
                chapter.outcome = str(event.get("outcome"))
                chapter.why = str(event.get("detail"))
                self.line(f"{mission[:8]}  {chapter.outcome.upper()}: {_briefly(chapter.why)}")
            case Event.SOURCE_READ:
                needs = counted(int(str(event["opened"])), "need")
                self.line(f"discovered  {needs} from {event['source']}")

    def _opened(self, event: dict[str, object]) -> None:
        mission, kind = str(event["mission"]), str(event["kind"])
        chapter = Chapter(
            mission=mission,
            title=str(event["title"]),
            mission_class=str(event.get("mission_class", "")),
            risk=int(str(event["risk"])),
        )
        self.chapters[mission] = chapter
        what = "remediation " if kind == "remediate" else ""
        self.line(f"{mission[:8]}  {what}opened, R{chapter.risk}: {chapter.title}")

    def _verdict(self, event: dict[str, object], chapter: Chapter) -> None:
        verdict, gate = str(event["verdict"]), str(event["gate"])
        if verdict not in {"pass", "fail"}:
            return
        word = verdict if event.get("configured", True) else "not configured"
        said, said_why = f"{gate} {event.get('subject')}: {word}", str(event.get("detail"))
        if said in chapter.verdicts:
            return  # the same answer on more evidence
        chapter.verdicts.append(said)
        _, _, percent = str(event.get("subject")).partition("#")
        step = f" at {percent} %" if percent.isdigit() else ""
        self.line(f"{chapter.mission[:8]}    gate {gate}{step}: {word}  ({_briefly(said_why)})")


def _briefly(detail: str) -> str:
    """The first clause; `swarmctl why` has all of it."""
    first = detail.partition(";")[0]
    return first if len(first) <= LINE_MOST else f"{first[: LINE_MOST - 1]}…"
