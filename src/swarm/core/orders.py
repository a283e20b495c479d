"""The orders of a mission, each under the key that makes doing it twice harmless."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TypedDict

from swarm.core.decision import (
    Abort,
    JudgeArtifact,
    Land,
    Notify,
    Promote,
    ReadCitation,
    Restage,
    Revert,
    RunCheck,
    SeeLive,
    SeeMain,
    SetTraffic,
    StartRun,
    Sync,
    TakeLook,
)
from swarm.core.evidence import CheckResult
from swarm.core.findings import Findings
from swarm.core.ids import MissionId, OrderKey, digest_of, evidence_id, order_key, run_id
from swarm.core.nouns import Brief, Change, Cited
from swarm.core.snapshot import Mission, Snapshot

REBOUND_DIGITS = 12  #: of a policy's hash, enough to tell two policies of one installation apart


class _Common(TypedDict):
    key: OrderKey
    mission: MissionId
    mission_class: str
    policy_hash: str
    forward: bool


class Orders:
    """Makes the orders of one mission under the policy of one snapshot.

    Keys hold what makes an order the same order: the exact commit, step or attempt. So a
    repeated tick, another replica or a restarted one derives the same key. A settled order never
    comes back under its key: where the answer left the question open, the key counts the tries.
    """

    def __init__(self, mission: Mission, snapshot: Snapshot) -> None:
        self._mission = mission
        self._snapshot = snapshot

    def _common(self, verb: str, *parts: str, forward: bool = True) -> _Common:
        return _Common(
            key=order_key(self._mission.id, verb, *parts),
            mission=self._mission.id,
            mission_class=self._mission.mission_class,
            policy_hash=self._snapshot.policy_hash,
            forward=forward,
        )

    def _tries(self, found: Findings, verb: str, *parts: str) -> tuple[tuple[str, ...], ...]:
        """The parts of every try whose answer is known, and of the next one."""
        tries: list[tuple[str, ...]] = [parts]
        while evidence_id(order_key(self._mission.id, verb, *tries[-1])) in found.answered:
            tries.append((*parts, f"again-{len(tries)}"))
        return tuple(tries)

    def start_run(
        self, attempt: int, brief: Brief, *, base: str, onto: str, deadline: timedelta
    ) -> StartRun:
        """Agent work; attempt 0 implements, 1 to 3 fix."""
        return StartRun(
            **self._common("run", str(attempt)),
            run=run_id(self._mission.id, attempt),
            attempt=attempt,
            agent=self._mission.agent,
            repo=self._mission.repo,
            base=base,
            onto=onto,
            brief=brief,
            deadline=deadline,
        )

    def read_citation(self, cited: Cited, slot: str) -> ReadCitation:
        """One citation, once per slot of time."""
        common = self._common("cite", digest_of(cited.citation), slot, forward=False)
        return ReadCitation(**common, cited=cited, repo=self._mission.repo)

    def run_check(self, check: str, commit: str, base: str, *, rebound: bool = False) -> RunCheck:
        """One required check on one exact commit. Verification goes on under a freeze.

        rebound: nobody had bound it when it was asked first; each policy may ask once more.
        """
        policy = self._snapshot.policy_hash[:REBOUND_DIGITS]
        parts = ("check-again", commit, policy, check) if rebound else ("check", commit, check)
        return RunCheck(
            **self._common(*parts, forward=False),
            check=check,
            repo=self._mission.repo,
            commit=commit,
            base=base,
            deadline=self._snapshot.installation.check_deadline,
        )

    def missing_checks(
        self, checks: Sequence[str], commit: str, base: str, found: Findings
    ) -> tuple[RunCheck, ...]:
        """Orders for those checks that are bound, have not answered here and are not under way."""
        wanted = []
        for check in checks:
            answer = found.checks.get((check, commit))
            unbound = answer is not None and answer.result is CheckResult.NOT_CONFIGURED
            if (answer is None or unbound) and check in self._snapshot.installation.checks:
                wanted.append(self.run_check(check, commit, base, rebound=unbound))
        return tuple(order for order in wanted if found.is_open(order.key) is None)

    def restage(self, change: Change, onto: str) -> Restage:
        """The change on top of the moved main."""
        common = self._common("restage", change.head, onto, forward=False)
        return Restage(**common, repo=self._mission.repo, change=change, onto=onto)

    def judge_artifact(self, commit: str) -> JudgeArtifact:
        """Signature and provenance of the exact commit."""
        common = self._common("artifact", commit, forward=False)
        return JudgeArtifact(**common, repo=self._mission.repo, commit=commit)

    def land(self, change: Change, found: Findings) -> Land:
        """Main from base to head, if it still is base; again if it came back there."""
        parts = self._tries(found, "land", change.head, change.base)[-1]
        common = self._common("land", *parts)
        return Land(**common, repo=self._mission.repo, head=change.head, base=change.base)

    def sync(self, target: str, revision: str) -> Sync:
        """The new revision beside the stable one."""
        common = self._common("sync", target, revision)
        return Sync(**common, target=target, repo=self._mission.repo, revision=revision)

    def set_traffic(
        self, target: str, revision: str, step: int, percent: int, found: Findings
    ) -> SetTraffic:
        """The canary's share at one rollout step; again when the policy's steps changed."""
        parts = self._tries(found, "traffic", target, revision, str(step))[-1]
        common = self._common("traffic", *parts)
        return SetTraffic(**common, target=target, revision=revision, step=step, percent=percent)

    def take_look(self, target: str, revision: str, step: int, number: int) -> TakeLook:
        """One reading of both arms."""
        common = self._common("look", target, revision, f"{step}.{number}", forward=False)
        return TakeLook(**common, target=target, revision=revision, step=step, number=number)

    def promote(self, target: str, revision: str) -> Promote:
        """The revision as the only one."""
        common = self._common("promote", target, revision)
        return Promote(**common, target=target, revision=revision)

    def aborts(self, target: str, revision: str, stable: str, found: Findings) -> tuple[Abort, ...]:
        """The stable version back, proven: the tries that were answered, and the next one."""
        return tuple(
            Abort(
                **self._common("abort", *parts, forward=False),
                target=target,
                repo=self._mission.repo,
                revision=revision,
                stable=stable,
            )
            for parts in self._tries(found, "abort", target, revision)
        )

    def revert(self, commit: str) -> Revert:
        """The landed commit undone on main."""
        common = self._common("revert", commit, forward=False)
        return Revert(**common, repo=self._mission.repo, commit=commit)

    def see_main(self, slot: str) -> SeeMain:
        """Where main stands, once per slot."""
        return SeeMain(**self._common("main", slot, forward=False), repo=self._mission.repo)

    def see_live(self, target: str, slot: str) -> SeeLive:
        """What a target runs, once per slot."""
        return SeeLive(**self._common("live", target, slot, forward=False), target=target)

    def notify(self, channel: str, event: str, text: str) -> Notify:
        """One thing said once to the owner."""
        common = self._common("notify", event, forward=False)
        return Notify(**common, channel=channel, event=event, text=text)
