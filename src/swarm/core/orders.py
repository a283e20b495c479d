"""The orders of a mission, each under the key that makes doing it twice harmless."""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

from swarm.core.decision import (
    Abort,
    JudgeArtifact,
    Land,
    Notify,
    Promote,
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
from swarm.core.ids import MissionId, OrderKey, order_key, run_id
from swarm.core.nouns import Brief, Change
from swarm.core.snapshot import Mission, Snapshot


class _Common(TypedDict):
    key: OrderKey
    mission: MissionId
    mission_class: str
    policy_hash: str
    forward: bool


class Orders:
    """Makes the orders of one mission under the policy of one snapshot.

    Keys hold what makes an order the same order: the exact commit, step or attempt. So a
    repeated tick, another replica or a restarted one derives the same key.
    """

    def __init__(self, mission: Mission, snapshot: Snapshot) -> None:
        self._mission = mission
        self._policy = snapshot.policy_hash

    def _common(self, verb: str, *parts: str, forward: bool = True) -> _Common:
        return _Common(
            key=order_key(self._mission.id, verb, *parts),
            mission=self._mission.id,
            mission_class=self._mission.mission_class,
            policy_hash=self._policy,
            forward=forward,
        )

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

    def run_check(self, check: str, commit: str, base: str, deadline: timedelta) -> RunCheck:
        """One required check on one exact commit. Verification goes on under a freeze."""
        return RunCheck(
            **self._common("check", commit, check, forward=False),
            check=check,
            repo=self._mission.repo,
            commit=commit,
            base=base,
            deadline=deadline,
        )

    def restage(self, change: Change, onto: str) -> Restage:
        """The change on top of the moved main."""
        common = self._common("restage", change.head, onto, forward=False)
        return Restage(**common, repo=self._mission.repo, change=change, onto=onto)

    def judge_artifact(self, commit: str) -> JudgeArtifact:
        """Signature and provenance of the exact commit."""
        common = self._common("artifact", commit, forward=False)
        return JudgeArtifact(**common, repo=self._mission.repo, commit=commit)

    def land(self, change: Change) -> Land:
        """Main from base to head, if it still is base."""
        common = self._common("land", change.head, change.base)
        return Land(**common, repo=self._mission.repo, head=change.head, base=change.base)

    def sync(self, target: str, revision: str) -> Sync:
        """The new revision beside the stable one."""
        common = self._common("sync", target, revision)
        return Sync(**common, target=target, repo=self._mission.repo, revision=revision)

    def set_traffic(self, target: str, revision: str, step: int, percent: int) -> SetTraffic:
        """The canary's share at one rollout step."""
        common = self._common("traffic", target, revision, str(step))
        return SetTraffic(**common, target=target, revision=revision, step=step, percent=percent)

    def take_look(self, target: str, revision: str, step: int, number: int) -> TakeLook:
        """One reading of both arms."""
        common = self._common("look", target, revision, f"{step}.{number}", forward=False)
        return TakeLook(**common, target=target, revision=revision, step=step, number=number)

    def promote(self, target: str, revision: str) -> Promote:
        """The revision as the only one."""
        common = self._common("promote", target, revision)
        return Promote(**common, target=target, revision=revision)

    def abort(self, target: str, revision: str, stable: str) -> Abort:
        """The stable version back, proven."""
        common = self._common("abort", target, revision, forward=False)
        return Abort(
            **common, target=target, repo=self._mission.repo, revision=revision, stable=stable
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
