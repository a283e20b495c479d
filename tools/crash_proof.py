"""Whether a crash run shows anything: too little may have happened, or too little been seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from swarm.core.history.finding import Judgement, Rule
from swarm.core.history.journal import Deed

DELIVERED_LEAST = 0.9  #: of all needs; a mission may fail by what was killed, most may not
ASKED = 5 / 6  #: of the kills that are drawn: by default 500 and 50 in ten minutes
SLACK = 0.6  #: share of what is asked that a slow machine comes to at least
FIRST_LEAST = 0.5  #: of all database kills: the first order was seen to be claimed after them
#: Who may do R3 is never asked here: it is the kind of no need that is told.
EXAMINED = tuple(rule for rule in Rule if rule is not Rule.RISK)
#: What a run in which missions are delivered leaves outside, whoever was killed.
SEEN = (Deed.RUN, Deed.LAND, Deed.SYNC, Deed.PROMOTE)


@dataclass(slots=True)
class Tally:
    """What was done to it, and how it came back, in seconds.

    back:  from the kill of the database until it answers.
    first: from then on until an order is claimed.
    alive: the same, counted from when a controller lived as well that was left alone until then.
    """

    asked: tuple[int, int] = (0, 0)  #: kills of controllers and of the database, at full speed
    kills: int = 0
    pauses: int = 0
    database_kills: int = 0
    back: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    alive: list[float] = field(default_factory=list)
    quiet: int = 0  #: recoveries after which nothing was due for long, until the next kill
    silent: int = 0  #: kills of a database that did not answer until it was killed again
    late: list[str] = field(default_factory=list)  #: recoveries over the goal, each told
    unseen: list[str] = field(default_factory=list)  #: what happened, and nobody saw when


def unproved(tally: Tally, known: dict[str, str], counts: Counter[str]) -> Iterator[str]:
    """Why this run could not have lost or doubled anything: who did nothing did nothing wrong."""
    least, database_least = slowly(tally.asked)
    if tally.kills < least:
        yield f"{tally.kills} controllers were killed, and {least} is the least"
    if not tally.pauses:
        yield "no controller was paused beyond its lease"
    if tally.database_kills < database_least:
        times = f"{tally.database_kills} times, and {database_least} is the least"
        yield f"the database was killed {times}"
    delivered = sum(outcome == "delivered" for outcome in known.values())
    if not known or delivered < DELIVERED_LEAST * len(known):
        yield f"{delivered} of {len(known)} needs were delivered"
    if missing := [str(deed) for deed in SEEN if not counts[str(deed)]]:
        yield f"outside nobody saw any {', '.join(missing)}"


def blind(tally: Tally, judgement: Judgement) -> Iterator[str]:
    """What the checks had no eyes for: a rule that looked at nothing was not kept."""
    if len(tally.alive) < max(1, FIRST_LEAST * tally.database_kills):
        times = f"{len(tally.alive)} of {tally.database_kills} kills of the database"
        yield f"a first order was seen to be claimed after {times}"
    if missing := [str(rule) for rule in EXAMINED if rule in judgement.unexamined]:
        yield f"nothing was there to be examined for {', '.join(missing)}"
    for rule, count in judgement.unjudged.items():
        yield f"the log does not say what {rule} asks, {count} times"
    if tally.unseen:
        yield f"nobody saw when {len(tally.unseen)} things happened, such as {tally.unseen[0]}"


def asked(minutes: float, every: tuple[float, float]) -> tuple[int, int]:
    """Kills of controllers and of the database that a run of such length and pace is for."""
    controllers, databases = (round(ASKED * minutes * 60 / seconds) for seconds in every)
    return max(1, controllers), max(1, databases)


def slowly(asked: tuple[int, int]) -> tuple[int, int]:
    """The least of what is asked that a slow machine comes to."""
    return max(1, int(SLACK * asked[0])), max(1, int(SLACK * asked[1]))
