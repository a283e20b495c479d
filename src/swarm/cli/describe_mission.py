"""A mission told to people: gates, contract, change, runs, checks, money, and what can be done."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from swarm.cli.columns import SHORT_COMMIT, SHORT_ID, money, span, stamp
from swarm.cli.desk import home_of
from swarm.cli.mission_story import change_lines, deeds, facts, newest_change, tell_mission
from swarm.cli.output import line
from swarm.cli.why import with_gates

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

ORDERS_SHOWN = 8


async def gather(
    database: Database, name: str, swarm: str, *, home: Path | None
) -> list[dict[str, Any]]:
    """One mission with all around it, and where its change can be read. Raises NotFound."""
    from swarm.adapters.postgres.store.desk.stories import Stories  # noqa: PLC0415

    del swarm  # an id says it
    story = with_gates(await Stories(database).trace(name))
    return [{"name": story["id"], **story, "clone": _clone(home_of(home).clones, story["repo"])}]


def _clone(clones: Path, repo: str | None) -> str | None:
    """The private clone of a repository, where it lies on this machine."""
    found = (str(clone) for clone in clones.glob("*.git") if unquote(clone.stem) == repo)
    return next(found, None)


def tell(story: dict[str, Any], now: datetime) -> list[str]:
    """The lines of `describe mission`."""
    lines = [*tell_mission(story), *_contract(story), *change_lines(story), *_diff(story)]
    lines += _runs(story)
    lines += _checks(story)
    lines += _approvals(story, now)
    lines += _family(story)
    spent = sum(row["amount"] for row in story["spent"] if row["kind"] == "spend")
    opened = f"{stamp(story['opened_at'])} under generation {story['generation']}"
    lines.append(f"opened:   {opened}, policy {story['policy_hash'][:SHORT_COMMIT]}")
    lines.append(f"money:    {money(spent)} spent, {money(story['reserved'])} reserved")
    lines += _orders(story, now)
    return [*lines, "you can:", *(f"  {command}" for command in deeds(story))]


def _contract(story: dict[str, Any]) -> list[str]:
    contract = story["contract"]
    checks = ", ".join(contract["checks"]) or "none"
    targets = ", ".join(contract["targets"]) or "none"
    paths = ", ".join(line(path) for path in contract["allowed_paths"]) or "any"
    limits = (
        f"errors +{contract['error_increase']:.0%}, p95 +{contract['latency_increase']:.0%}, "
        f"observed for {contract['observe_for'].removeprefix('PT').lower()}"
    )
    return [
        f"promised: checks {checks}; targets {targets}; {limits}",
        f"          paths {paths}",
    ]


def _diff(story: dict[str, Any]) -> Iterable[str]:
    """How to read the newest change, on the machine that has it: who approves must have seen it."""
    change = newest_change(story)
    if change is not None and story["clone"] is not None:
        between = f"{change['base'][:SHORT_COMMIT]} {change['head'][:SHORT_COMMIT]}"
        yield f"          read it: git -C {shlex.quote(story['clone'])} diff {between}"


def _runs(story: dict[str, Any]) -> Iterable[str]:
    for fact in facts(story, "run-ended"):
        cost, seconds = money(fact.get("cost") or 0), fact.get("seconds") or 0
        told = f"{fact['result']} in {seconds:.1f} s, cost {cost}  {_first(fact['detail'])}"
        yield f"run {fact['attempt']}:    {story['agent']}: {told}".rstrip()
        for broken in fact.get("violations") or ():
            yield f"          refused: {line(broken)}"


def _checks(story: dict[str, Any]) -> Iterable[str]:
    for fact in facts(story, "check-ended"):
        at = fact["commit"][:SHORT_COMMIT]
        told = f"{fact['result']} on {at} in {fact['seconds']:.1f} s"
        yield f"check:    {fact['check']}: {told}  {_first(fact['detail'])}".rstrip()


def _first(text: str) -> str:
    lines = text.strip().splitlines()
    return line(lines[0])[:160] if lines else ""


def _approvals(story: dict[str, Any], now: datetime) -> Iterable[str]:
    for row in story["approvals"]:
        about = f"{row['commit'][:SHORT_COMMIT]}: {line(row['question'])}"
        if row["state"] == "open":
            yield f"asked:    {about}; expires {span(row['expires_at'], now)}"
        else:
            by = f" by {line(row['approver'])}: {line(row['reason'])}" if row["approver"] else ""
            yield f"approval: {row['state']}{by} ({about})"


def _family(story: dict[str, Any]) -> Iterable[str]:
    for row in story["family"]:
        word = "repairs" if row["id"] == story["parent"] else "repaired by"
        ended = "ended" if row["ended_at"] else "open"
        yield f"{word}: {row['id'][:SHORT_ID]}  {line(row['title'])} ({ended})"


def _orders(story: dict[str, Any], now: datetime) -> Iterable[str]:
    """What is under way outside, and what that waits for."""
    waiting = [row for row in story["orders"] if row["settled_at"] is None]
    for row in waiting[:ORDERS_SHOWN]:
        begun = f"begun {span(row['begun_at'], now)} ago" if row["begun_at"] else "not begun"
        due = f", due {span(row['due_at'], now)}" if row["due_at"] else ""
        because = f", {row['reason']}: {_first(row['detail'])}" if row["reason"] else ""
        yield f"order:    {row['kind']}, {begun}{due}{because}"
