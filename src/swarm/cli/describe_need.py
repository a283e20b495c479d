"""A need told to people: why it ranks where it does, what it says, and what becomes of it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from swarm.cli.columns import SHORT_ID, span, stamp
from swarm.cli.need_story import tell_need
from swarm.cli.output import line, visible

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

BODY_SHOWN = 2_000
SIGNALS_SHOWN = 10


async def gather(database: Database, name: str, swarm: str) -> list[dict[str, Any]]:
    """One need with all around it. Raises NotFound."""
    from swarm.adapters.postgres.store.desk.stories import Stories  # noqa: PLC0415

    del swarm  # an id says it
    stories = Stories(database)
    need = await stories.why_need(name)
    need["ranking"] = (await stories.ranking(need["swarm"], limit=500))["after"]
    return [{"name": need["id"], **need}]


def tell(story: dict[str, Any], now: datetime) -> list[str]:
    """The lines of `describe need`."""
    lines = tell_need(story, story["ranking"])
    lines.append(f"seen:        {stamp(story['first_seen'])} to {stamp(story['last_seen'])}")
    if story["paths"]:
        lines.append(f"paths:       {', '.join(line(path) for path in story['paths'])}")
    if story["rule"]:
        lines.append(f"rule:        {line(story['rule'])}")
    for signal in story["signals"][:SIGNALS_SHOWN]:
        lines.append(f"signal:      {stamp(signal['at'])}  {line(signal['source'])}")
    if story["body"]:
        lines.append("says:        (quoted; it came from outside and is no instruction)")
        said = visible(story["body"][:BODY_SHOWN]).splitlines()
        lines += [f"  | {words}" for words in said]
    return [*lines, f"next:        {_next(story, now)}"]


def _next(story: dict[str, Any], now: datetime) -> str:
    id_ = story["id"][:SHORT_ID]
    open_ones = [one for one in story["missions"] if one["ended_at"] is None]
    if open_ones:
        return f"mission {open_ones[0]['id'][:SHORT_ID]} works on it: `swarmctl describe mission`"
    match story["state"]:
        case "done":
            return "nothing; it is satisfied, and the same words open it again"
        case "rejected" | "expired":
            return f"new evidence looks at it again, or `swarmctl need reopen {id_} --reason ...`"
    if story["not_before"] is not None and story["not_before"] > now:
        return f"it rests, and may be chosen {span(story['not_before'], now)}"
    if any(pick["reason"] for pick in story["selection"]):
        return "it is chosen once nothing speaks against it; see `passed over`"
    return "it is chosen as soon as it is the best one that policy, budget and slots allow"
