"""What `get` shows of each kind, and what an empty list means."""

from __future__ import annotations

from swarm.cli.columns import Kind, columns
from swarm.cli.errors import Usage

#: How a mission ends; `open` while it has not.
ENDINGS = ("delivered", "rolled-back", "failed", "rejected", "refused", "recommended")
_OPEN_OR_NOT = ("open", "closed")

KINDS = (
    Kind(
        name="swarms",
        single="Swarm",
        short="sw",
        name_from="name",
        columns=columns(
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
        columns=columns(
            ("NAME", "name"), ("STATE", "state"), ("RISK", "risk"), ("CONFIDENCE", "confidence"),
            ("CITED", "citations"), ("SIGNALS", "signals"), ("AGE", "first_seen"),
            ("TITLE", "title"),
            wide=(("CLASS", "mission_class"), ("REPO", "repo"), ("RANK", "rank"),
                  ("WHY", "state_reason")),
        ),
        states=("open", "taken", "done", "rejected", "expired"),
        when_empty="Sources are read on the Swarm's cadence; try one: `swarmctl source test NAME`.",
    ),
    Kind(
        name="missions",
        single="Mission",
        short="m",
        columns=columns(
            ("NAME", "name"), ("OUTCOME", "outcome"), ("RISK", "risk"), ("ROOM", "room"),
            ("REASON", "reason"), ("NEXT", "next_action"), ("AGE", "opened_at"),
            ("TITLE", "title"),
            wide=(("KIND", "kind"), ("CLASS", "mission_class"), ("REPO", "repo"),
                  ("AGENT", "agent"), ("DETAIL", "detail")),
        ),
        states=("open", *ENDINGS),
        when_empty="A mission opens when a need is cited well enough: `swarmctl get needs`.",
    ),
    Kind(
        name="runs",
        single="Run",
        short="r",
        columns=columns(
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
        columns=columns(
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
        columns=columns(
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
        columns=columns(
            ("MISSION", "name"), ("TARGET", "target"), ("REVISION", "revision"),
            ("STEP", "step_kind"), ("PERCENT", "percent"), ("AGE", "at"),
        ),
        when_empty="A rollout begins when a change has landed and a target is bound.",
    ),
    Kind(
        name="freezes",
        single="Freeze",
        short="f",
        columns=columns(
            ("NAME", "name"), ("CLASS", "mission_class"), ("REASON", "reason"), ("SINCE", "since"),
            ("UNTIL", "until"), ("PROVEN", "requalified"), ("LIFTED", "lifted_at"),
            ("DETAIL", "detail"), wide=(("BY", "by"),),
        ),
        states=_OPEN_OR_NOT,
        when_empty="Nothing is held.",
    ),
    Kind(
        name="approvals",
        single="Approval",
        short="a",
        columns=columns(
            ("NAME", "name"), ("STATE", "state"), ("MISSION", "mission"), ("RISK", "risk"),
            ("EXPIRES", "expires_at"), ("BY", "approver"), ("QUESTION", "question"),
            wide=(("COMMIT", "commit"), ("REASON", "reason")),
        ),
        states=("open", "granted", "denied", "used", "expired", "void"),
        when_empty="Nobody is asked for anything.",
    ),
    Kind(
        name="budgets",
        single="Budget",
        short="b",
        name_from="name",
        columns=columns(
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
        columns=columns(
            ("NAME", "name"), ("DARK-SINCE", "dark_since"), ("LAST-NEWS", "last_news"),
            ("DETAIL", "detail"),
        ),
        when_empty="Sources appear once they were read: `swarmctl source list` shows all.",
    ),
    Kind(
        name="signals",
        single="Signal",
        short="s",
        columns=columns(
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
        columns=columns(
            ("KEY", "name"), ("KIND", "kind"), ("TRIES", "tries"), ("REASON", "reason"),
            ("DUE", "due_at"), ("SETTLED", "settled_at"), wide=(("DETAIL", "detail"),),
        ),
        states=_OPEN_OR_NOT,
        when_empty="An order is one thing to do outside.",
    ),
    Kind(
        name="outcomes",
        single="Outcome",
        short="out",
        name_from="mission",
        columns=columns(
            ("MISSION", "name"), ("OUTCOME", "outcome"), ("REASON", "reason"),
            ("ATTEMPTS", "attempts"), ("COST", "cost"), ("AGE", "at"), ("DETAIL", "detail"),
        ),
        when_empty="An outcome is how a mission ended.",
    ),
)  # fmt: skip


_ELSEWHERE = {"agents": "agent list", "regimes": "regime show STREAM", "experts": "capital show"}


def kind_named(word: str) -> Kind:
    """A kind by any of its usual names: `mission`, `missions`, `m`. Raises `Usage`."""
    for kind in KINDS:
        single = kind.single.lower()
        if word.lower() in {
            kind.name,
            kind.name.removesuffix("s"),
            single,
            f"{single}s",
            kind.short,
        }:
            return kind
    if word.lower() in _ELSEWHERE:
        remedy = f"`swarmctl {_ELSEWHERE[word.lower()]}` shows them."
        raise Usage(f"{word.lower()} are not in the store", remedy=remedy)
    import difflib  # noqa: PLC0415 - only a slip pays for it

    names = [kind.name for kind in KINDS]
    near = difflib.get_close_matches(word.lower(), names, n=1)
    meant = f"; did you mean {near[0]}?" if near else "."
    raise Usage(f"there is no kind {word[:60]!r}{meant} There are: {', '.join(names)}")


def parted(kind: str, name: str) -> tuple[Kind, str]:
    """The kind and the name of `mission m-41c0`, `mission/m-41c0` or both. Raises `Usage`."""
    from swarm.adapters.postgres.store.desk.reference import bare  # noqa: PLC0415

    first, _, rest = kind.partition("/")
    if rest and name:
        raise Usage(f"{kind[:60]!r} names an object already, and {name[:60]!r} another")
    return kind_named(first), bare(rest or name)
