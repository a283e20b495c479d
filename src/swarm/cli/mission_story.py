"""A mission told to people: its gates, where it stands, how it ended, and what can be done."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from swarm.cli.columns import SHORT_COMMIT, SHORT_ID, money, stamp
from swarm.cli.gate_strip import Gate, gates_of
from swarm.cli.output import line
from swarm.contract.counted import counted

PATHS_SHOWN = 10


def strip_of(story: Mapping[str, Any]) -> tuple[Gate, ...]:
    """The six gates of a mission's story."""
    standing = story["standing"] or {}
    return gates_of(
        story["verdicts"],
        ended=story["outcome"] is not None,
        reason=standing.get("reason", ""),
    )


def tell_mission(story: Mapping[str, Any]) -> list[str]:
    """The lines of `why MISSION`."""
    lines = [f"{story['id'][:SHORT_ID]}  {line(story['title'])}"]
    lines.append(
        f"kind:     {story['kind']}, {_risk(story)}, {story['mission_class']}, "
        f"{line(story['repo'] or 'no repository')}{', shadow' if story['shadow'] else ''}"
    )
    if story["cause"]:
        lines.append(f"because:  {line(story['cause'])}")
    need = story["needs_story"]
    if need:
        lines.append(
            f"need:     {need['id'][:SHORT_ID]}, confidence {need['confidence']:.2f}; chosen with"
        )
        lines += [f"            {name:<12} {nats:+.3f}" for name, nats in story["rank_terms"] or ()]
    lines += gate_lines(strip_of(story))
    lines += standing_lines(story)
    return lines


def _risk(story: Mapping[str, Any]) -> str:
    judged, declared = story["judged_risk"], story["risk"]
    return f"R{judged}" if judged == declared else f"R{judged} (opened as R{declared})"


def gate_lines(strip: Iterable[Gate]) -> list[str]:
    """One line per gate: glyph, name, state in words, reason and its sentence."""
    lines = ["gates:"]
    for gate in strip:
        why = ": ".join(part for part in (gate.reason, line(gate.detail)) if part)
        lines.append(f"  {gate.glyph} {gate.label:<17} {gate.state:<15} {why}".rstrip())
    return lines


def standing_lines(story: Mapping[str, Any]) -> list[str]:
    """How it ended; or where it stands, what happens next by itself, and what holds it."""
    outcome = story["outcome"]
    if outcome:
        spent = f"{counted(outcome['attempts'], 'run')}, {money(outcome['cost'])} spent"
        why = ": ".join(filter(None, (outcome["reason"], line(outcome["detail"]))))
        return [
            f"outcome:  {outcome['outcome']}: {why}",
            f"          {spent}, ended {stamp(outcome['at'])}",
        ]
    standing = story["standing"] or {}
    told = [f"now:      {standing.get('reason', 'New')}: {line(standing.get('detail', ''))}"]
    if standing.get("since"):
        told.append(f"since:    {standing['since'][:19].replace('T', ' ')} UTC")
    told.append(f"next:     {line(standing.get('next_action') or 'it is judged at once')}")
    for hold in story["holds"]:
        detail = line(hold["detail"])
        told.append(f"held by:  {hold['id'][:SHORT_ID]} {hold['reason']}: {detail}")
    return told


def deeds(story: Mapping[str, Any]) -> list[str]:
    """What a person can do about it now, each as a command."""
    id_ = story["id"][:SHORT_ID]
    if story["outcome"]:
        again = [f"swarmctl mission retry {id_} --reason ..."] if story["need"] else []
        return [f"swarmctl trace {id_}", f"swarmctl logs {id_}", *again]
    standing = story["standing"] or {}
    found = [f"swarmctl logs {id_} -f", f"swarmctl mission cancel {id_} --reason ..."]
    if any(row["state"] == "open" for row in story["approvals"]):
        found = [
            f"swarmctl approve {id_} --reason ...", f"swarmctl reject {id_} --reason ...", *found,
        ]  # fmt: skip
    if story["holds"]:
        found.insert(0, "swarmctl describe freeze")
    if standing.get("reason") == "CanaryUndecided":
        found.insert(0, f"swarmctl mission promote {id_} --reason ...")
    if any(row["kind"] == "landed" for row in story["evidence"]):
        found.append(f"swarmctl mission rollback {id_} --reason ...")
    return found


def facts(story: Mapping[str, Any], *kinds: str) -> list[dict[str, Any]]:
    """The bodies of all facts of these kinds, oldest first."""
    bodies = [row["body"] for row in story["evidence"] if row["kind"] in kinds]
    return [json.loads(body) if isinstance(body, str) else body for body in bodies]


def newest_change(story: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the last run, or the last restaging, made of it."""
    bodies = facts(story, "run-ended", "restaged")
    return next((body["change"] for body in reversed(bodies) if body.get("change")), None)


def change_lines(story: Mapping[str, Any]) -> list[str]:
    """The newest change: commits, size, paths."""
    change = newest_change(story)
    if change is None:
        return []
    paths = ", ".join(line(path) for path in change["paths"][:PATHS_SHOWN])
    hidden = len(change["paths"]) - PATHS_SHOWN
    commits = f"{change['head'][:SHORT_COMMIT]} on {change['base'][:SHORT_COMMIT]}"
    size = f"+{change['lines_added']} -{change['lines_removed']}"
    return [
        f"change:   {commits}, {size}, branch {line(change['branch'])}",
        f"          {paths}{f' and {hidden} more' if hidden > 0 else ''}",
    ]
