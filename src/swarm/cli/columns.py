"""What `get` shows of each kind: columns, what an empty list means, and how times read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from swarm.cli.output import Column

MICRO = 1_000_000
SHORT_ID = 10  #: characters of an id in tables: unique among thousands, and short enough to type
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of object as people see it.

    name_from: the column that names an object.   when_empty: what would fill the list.
    """

    name: str
    single: str
    short: str
    columns: tuple[Column, ...]
    when_empty: str
    name_from: str = "id"

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row with the `name` that every form of output needs."""
        named = {"name": row[self.name_from], **row}
        if "answer" in row:
            # A gate that nobody configured never reads "passed" (law 3).
            word = _ANSWERS[row["answer"]] if row.get("configured") else "not configured"
            named["verdict"] = word
        return named

    def for_people(self, row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """The same with short ids, spans instead of times, and money in units."""
        shown = dict(row)
        for field, value in row.items():
            if isinstance(value, datetime):
                shown[field] = span(value, now)
            elif field in {"cap", "reserved", "spent", "left", "cost"} and value is not None:
                shown[field] = money(int(value))
            elif field == "risk" and isinstance(value, int):
                shown[field] = f"R{value}"
            elif isinstance(value, str) and value[1:2] == "-" and field in _IDS:
                shown[field] = value[:SHORT_ID]
        status = row.get("status")
        if isinstance(status, Mapping):
            shown.update(_status(status))
        return shown


_ANSWERS = ("pass", "wait", "inconclusive", "fail")
_IDS = {"name", "id", "mission", "need", "parent", "freeze"}


def _status(status: Mapping[str, Any]) -> dict[str, Any]:
    ready = [c["status"] for c in status.get("conditions", ()) if c.get("type") == "Ready"]
    rate = status.get("autonomousSuccessRate24h")
    freeze = status.get("freeze") or {}
    return {
        "phase": status.get("phase"),
        "ready": ready[0] if ready else "Unknown",
        "active": status.get("activeMissions", 0),
        "queued": status.get("queuedNeeds", 0),
        "success": None if rate is None else f"{rate:.0%}",
        "frozen_until": freeze.get("until", "resumed" if freeze else None),
        "reason": freeze.get("reason"),
        "last_change": status.get("lastProductionChangeRef"),
    }


def span(at: datetime, now: datetime) -> str:
    """How long ago, or `in` how long: 5s, 3m, 2h, 4d."""
    seconds = (now - at).total_seconds()
    size = abs(seconds)
    if size < _MINUTE:
        text = f"{size:.0f}s"
    elif size < _HOUR:
        text = f"{size / _MINUTE:.0f}m"
    elif size < _DAY:
        text = f"{size / _HOUR:.0f}h"
    else:
        text = f"{size / _DAY:.0f}d"
    return text if seconds >= 0 else f"in {text}"


def money(micro: int) -> str:
    """Micro-units as people write them."""
    return f"{micro / MICRO:.2f}"


def _columns(*pairs: tuple[str, str], wide: tuple[tuple[str, str], ...] = ()) -> tuple[Column, ...]:
    shown = [Column(title=title, field=field) for title, field in pairs]
    more = [Column(title=title, field=field, wide=True) for title, field in wide]
    return (*shown, *more)


KINDS = (
    Kind(
        name="swarms",
        single="Swarm",
        short="sw",
        name_from="name",
        columns=_columns(
            ("NAME", "name"), ("PHASE", "phase"), ("MODE", "mode"), ("READY", "ready"),
            ("ACTIVE", "active"), ("QUEUED", "queued"), ("SUCCESS24H", "success"),
            ("FROZEN-UNTIL", "frozen_until"), ("AGE", "created_at"),
            wide=(("NAMESPACE", "namespace"), ("GENERATION", "generation"), ("SHADOW", "shadow"),
                  ("REASON", "reason"), ("LAST-CHANGE", "last_change")),
        ),
        when_empty="Write one with `swarmctl init`, then `swarmctl up` or `swarmctl apply -f`.",
    ),
    Kind(
        name="needs",
        single="Need",
        short="n",
        columns=_columns(
            ("NAME", "name"), ("STATE", "state"), ("RISK", "risk"), ("CONFIDENCE", "confidence"),
            ("CITED", "citations"), ("SIGNALS", "signals"), ("AGE", "first_seen"),
            ("TITLE", "title"),
            wide=(("CLASS", "mission_class"), ("REPO", "repo"), ("RANK", "rank"),
                  ("WHY", "state_reason")),
        ),
        when_empty="Sources are read on the Swarm's cadence; try one: `swarmctl source test NAME`.",
    ),
    Kind(
        name="missions",
        single="Mission",
        short="m",
        columns=_columns(
            ("NAME", "name"), ("OUTCOME", "outcome"), ("RISK", "risk"), ("ROOM", "room"),
            ("REASON", "reason"), ("NEXT", "next_action"), ("AGE", "opened_at"),
            ("TITLE", "title"),
            wide=(("KIND", "kind"), ("CLASS", "mission_class"), ("REPO", "repo"),
                  ("AGENT", "agent"), ("DETAIL", "detail")),
        ),
        when_empty="A mission opens when a need is cited well enough: `swarmctl get needs`.",
    ),
    Kind(
        name="runs",
        single="Run",
        short="r",
        columns=_columns(
            ("NAME", "name"), ("MISSION", "mission"), ("ATTEMPT", "attempt"), ("AGENT", "agent"),
            ("RESULT", "result"), ("COST", "cost"), ("AGE", "issued_at"), ("DETAIL", "detail"),
        ),
        when_empty="An agent runs when a mission opens.",
    ),
    Kind(
        name="changes",
        single="Change",
        short="c",
        name_from="head",
        columns=_columns(
            ("HEAD", "name"), ("MISSION", "mission"), ("REPO", "repo"), ("ADDED", "lines_added"),
            ("REMOVED", "lines_removed"), ("AGE", "at"), ("PATHS", "paths"),
        ),
        when_empty="A change is what an agent's run produced.",
    ),
    Kind(
        name="gates",
        single="Verdict",
        short="g",
        name_from="mission",
        columns=_columns(
            ("MISSION", "name"), ("GATE", "gate"), ("VERDICT", "verdict"), ("REASON", "reason"),
            ("AGE", "at"), ("DETAIL", "detail"), wide=(("SUBJECT", "subject"),),
        ),
        when_empty="Verdicts appear when a mission reaches its gates.",
    ),
    Kind(
        name="rollouts",
        single="Rollout",
        short="ro",
        name_from="mission",
        columns=_columns(
            ("MISSION", "name"), ("TARGET", "target"), ("REVISION", "revision"),
            ("STEP", "step_kind"), ("PERCENT", "percent"), ("AGE", "at"),
        ),
        when_empty="A rollout begins when a change has landed and a target is bound.",
    ),
    Kind(
        name="freezes",
        single="Freeze",
        short="f",
        columns=_columns(
            ("NAME", "name"), ("CLASS", "mission_class"), ("REASON", "reason"), ("SINCE", "since"),
            ("UNTIL", "until"), ("PROVEN", "requalified"), ("LIFTED", "lifted_at"),
            ("DETAIL", "detail"), wide=(("BY", "by"),),
        ),
        when_empty="Nothing is held.",
    ),
    Kind(
        name="approvals",
        single="Approval",
        short="a",
        columns=_columns(
            ("NAME", "name"), ("STATE", "state"), ("MISSION", "mission"), ("RISK", "risk"),
            ("EXPIRES", "expires_at"), ("BY", "approver"), ("QUESTION", "question"),
            wide=(("COMMIT", "commit"), ("REASON", "reason")),
        ),
        when_empty="Nobody is asked for anything.",
    ),
    Kind(
        name="budgets",
        single="Budget",
        short="b",
        name_from="name",
        columns=_columns(
            ("NAME", "name"), ("CAP", "cap"), ("SPENT", "spent"), ("RESERVED", "reserved"),
            ("LEFT", "left"), ("ENDS", "window_end"), ("CURRENT", "current"),
        ),
        when_empty="A budget's window appears when something is reserved from it.",
    ),
    Kind(
        name="sources",
        single="Source",
        short="so",
        name_from="name",
        columns=_columns(
            ("NAME", "name"), ("DARK-SINCE", "dark_since"), ("LAST-NEWS", "last_news"),
            ("DETAIL", "detail"),
        ),
        when_empty="Sources appear once they were read: `swarmctl source list` shows all.",
    ),
    Kind(
        name="signals",
        single="Signal",
        short="s",
        columns=_columns(
            ("NAME", "name"), ("NEED", "need"), ("SOURCE", "source"), ("ORIGIN", "origin"),
            ("AGE", "at"), ("TITLE", "title"), wide=(("CITATION", "citation"),),
        ),
        when_empty="Signals are what sources said.",
    ),
    Kind(
        name="orders",
        single="Order",
        short="o",
        name_from="key",
        columns=_columns(
            ("KEY", "name"), ("KIND", "kind"), ("TRIES", "tries"), ("REASON", "reason"),
            ("DUE", "due_at"), ("SETTLED", "settled_at"), wide=(("DETAIL", "detail"),),
        ),
        when_empty="An order is one thing to do outside.",
    ),
    Kind(
        name="outcomes",
        single="Outcome",
        short="out",
        name_from="mission",
        columns=_columns(
            ("MISSION", "name"), ("OUTCOME", "outcome"), ("REASON", "reason"),
            ("ATTEMPTS", "attempts"), ("COST", "cost"), ("AGE", "at"), ("DETAIL", "detail"),
        ),
        when_empty="An outcome is how a mission ended.",
    ),
)  # fmt: skip
