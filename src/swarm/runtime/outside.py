"""A live installation's history: what really happened, held against what our own log says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from swarm.adapters.local.outside import Deposit, Journal, journals, main_of, mains
from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.desk.histories import Histories
from swarm.contract.counted import counted
from swarm.core.history.check import check
from swarm.core.history.finding import Judgement, Rule
from swarm.core.history.journal import Deed, Effect, Entry
from swarm.core.ids import OrderKey, SwarmId, evidence_id
from swarm.core.nouns import Risk
from swarm.core.policy.risk import of_paths
from swarm.core.trail import EventKind
from swarm.runtime.home import Home
from swarm.runtime.settings import load


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What holding a log against the outside came to, and which journals were there to be read."""

    judgement: Judgement
    journals: tuple[Journal, ...]


async def audit(database: Database, home: Home, swarm: SwarmId) -> Audit:
    """Judge one Swarm's past by the nine promises. Cost: linear in its log and in the journals.

    A landing that the log tells of and main does not have is a journal that cannot be believed.
    Where other installations work on the same database, it may lie with them: it is not judged.
    """
    channel = home.logs / "channel.jsonl"
    found = await asyncio.to_thread(journals, home.clones, home.services, home.jobs, channel)
    histories = Histories(database)
    bare = await histories.read(swarm)
    told = [deposit for journal in found for deposit in journal.deposits]
    others = await histories.of_others(swarm, {deposit.mission for deposit in told})
    mine = [deposit for deposit in told if deposit.mission not in others]
    history = await histories.with_effects(swarm, bare, effects(mine, bare.entries))
    kept = [
        replace(one, deposits=tuple(d for d in one.deposits if d.mission not in others))
        for one in found
    ]
    judgement = check(history)
    gone = await asyncio.to_thread(lost, found, bare.entries, home.clones)
    if gone and load(home.file).seals.keys:
        unjudged = judgement.unjudged.get(Rule.GATES, 0) + sum(map(len, gone.values()))
        judgement = replace(judgement, unjudged={**judgement.unjudged, Rule.GATES: unjudged})
    elif gone:
        kept = _lacking(kept, gone)
    return Audit(judgement=judgement, journals=tuple(kept))


def lost(
    found: Iterable[Journal], entries: Iterable[Entry], clones: Path
) -> dict[str, list[tuple[str, str]]]:
    """(commit, mission) of what the log says landed and no main here has, by repository."""
    repos, told = dict[str, str](), dict[str, list[tuple[str, str]]]()
    for entry in entries:
        if entry.kind == EventKind.MISSION_OPENED:
            repos[entry.chain] = str(entry.body.get("repo", ""))
        elif entry.kind == EventKind.MISSION_SETTLED and (commit := entry.body.get("landed")):
            repo = repos.get(entry.chain, "")
            told.setdefault(repo, []).append((str(commit), entry.chain))
    known = _landed(found)
    if all(one[0] in known for several in told.values() for one in several):
        return {}
    known |= _landed(mains(clones))  # it may have landed since main was read
    gone = {repo: [one for one in several if one[0] not in known] for repo, several in told.items()}
    return {repo: several for repo, several in gone.items() if several}


def _landed(found: Iterable[Journal]) -> set[str]:
    return {one.subject for journal in found for one in journal.deposits if one.deed is Deed.LAND}


def _lacking(
    found: Sequence[Journal], gone: Mapping[str, Sequence[tuple[str, str]]]
) -> list[Journal]:
    """The journals, those of these repositories with the word that something is not there."""
    named = {one.name: one for one in found}
    for repo, several in gone.items():
        commit, mission = several[0]
        lacks = counted(len(several), "landing")
        why = f"lacks {lacks} of which the log tells, such as {commit[:12]} of {mission}"
        one = named.get(main_of(repo), Journal(name=main_of(repo)))
        named[one.name] = replace(one, unread=one.unread or why)
    return list(named.values())


def effects(deposits: Iterable[Deposit], entries: Sequence[Entry]) -> list[Effect]:
    """The deposits as effects, each under its order's whole key.

    What has no time of its own happened when our log saw what came of it, or just now; and at one
    target no later than what it did next. The risk of a landing is what its paths are by nature;
    rules that an installation adds are not known here.
    """
    issued: dict[str, list[str]] = {}
    seen: dict[str, datetime] = {}
    for entry in entries:
        if entry.kind == EventKind.ORDER_ISSUED:
            issued.setdefault(entry.chain, []).append(str(entry.body["order"]))
        elif entry.kind == EventKind.EVIDENCE_SEEN:
            seen[str(entry.body["evidence"])] = entry.at
    now, found = datetime.now(UTC), list[Effect]()
    for deposit in deposits:
        keys = [key for key in issued.get(deposit.mission, ()) if _begins(key, deposit.key)]
        key = keys[-1] if keys else deposit.key
        found.append(
            Effect(
                at=deposit.at or seen.get(evidence_id(OrderKey(key))) or now,
                deed=deposit.deed,
                mission=deposit.mission,
                key=key,
                where=deposit.where,
                subject=deposit.subject,
                step=deposit.step,
                fence=deposit.fence,
                risk=int(of_paths(Risk.R0, deposit.paths, ()).risk) if deposit.paths else None,
            )
        )
    return _in_their_order(found)


def _in_their_order(effects: Sequence[Effect]) -> list[Effect]:
    """A target's own journal knows which was first, also where our log saw the first one last."""
    next_at: dict[str, datetime] = {}
    dated = []
    for effect in reversed(effects):
        if effect.fence is not None:
            next_at[effect.where] = at = min(effect.at, next_at.get(effect.where, effect.at))
            effect = replace(effect, at=at)  # noqa: PLW2901 - the same, dated
        dated.append(effect)
    return dated[::-1]


def _begins(key: str, start: str) -> bool:
    """Whether a key is this one, or goes on where this one ends."""
    return key == start or key.startswith(f"{start}/")
