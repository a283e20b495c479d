"""Sending an agent: the one place where a run is ordered, for the first attempt and for fixes."""

from __future__ import annotations

from dataclasses import dataclass

from swarm.core import citing
from swarm.core.findings import Findings
from swarm.core.ids import run_id
from swarm.core.nouns import Brief, OutcomeKind
from swarm.core.orders import Orders
from swarm.core.policy import retries, risk
from swarm.core.reasons import Reason
from swarm.core.saying import Ending, Saying, View, degraded, frozen, lane_of, settled, stage_off
from swarm.core.snapshot import AgentBinding, Budget, Mission

FAILURE_CHARACTERS = 8_000  #: the tail of a failing check that a fix attempt is shown


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One mission at the moment when an agent is sent, or is not.

    room: the loop step that speaks.
    """

    room: str
    mission: Mission
    found: Findings
    view: View

    def send(self, *, failure: str = "", base: str = "") -> Saying:
        """Order the next attempt, unless something bars it, or its lane or its agent is not there.

        failure: what the last attempt did wrong, for a fix.
        base:    start over from this main commit instead of from the failing head.
        """
        mission, view = self.mission, self.view
        if (barred := self.barred()) is not None:
            return barred
        agent = _agent_of(mission, view)
        if agent is None:
            return Saying(
                room=self.room,
                reason=Reason.NO_AGENT,
                detail=f"no agent is bound that takes {mission.mission_class!r}",
                next_action="starts when swarm.toml binds one",
            )
        attempt = len(self.found.runs)
        lane = lane_of(attempt)
        wait = _broke(self.room, agent, view) or _busy(self.room, lane, mission, view)
        if wait is not None:
            return wait
        again = citing.hold(self.room, mission, self.found, view)
        if again.word is not None:
            return again.word.holding(lane) if again.reading else again.word
        change = None if base else self.found.change
        order = Orders(mission, view.snapshot).start_run(
            attempt,
            _brief(mission, attempt, failure),
            base=change.head if change else base,
            onto=change.base if change else base,
            deadline=agent.deadline,
        )
        return Saying(
            room=self.room,
            reason=Reason.RUN_PENDING,
            detail=f"{mission.agent} is asked, attempt {attempt}",
            next_action="the agent starts",
            orders=(order,),
            records=again.records,
            holds=frozenset({lane}),
        )

    def barred(self) -> Saying | None:
        """Why no agent may be sent now, however much room and money there is.

        It is not waited for a repository that was taken from the allowlist: the mission ends.
        """
        mission, view = self.mission, self.view
        if mission.repo not in view.snapshot.spec.delivery.repo_allowlist:
            return self._not_allowed()
        hold = view.freeze_over(mission)
        if hold is not None:
            return frozen(self.room, hold)
        if (off := stage_off(self.room, "implement", view)) is not None:
            return off
        level = risk.judged(mission.risk, self.found.change, view.snapshot.installation.risk_rules)
        return degraded(self.room, level, view, "starts")

    def stopped(self) -> Saying | None:
        """The end of a mission whose agent is at work, where its budget stops what is overdrawn.

        Nobody's failure: its need may be tried again in the next window (FAIL-5).
        """
        window, view = self.view.snapshot.budget, self.view
        if window is None or window.when_spent == "finish" or window.left >= 0:
            return None
        agent = _agent_of(self.mission, view)
        if self.found.landed is not None or (agent is not None and agent.cost <= 0):
            return None
        ending = Ending(
            kind=OutcomeKind.REFUSED,
            reason=Reason.BUDGET_EXHAUSTED,
            detail=f"stopped at work: {_overdraft(window)}",
            retry_at=window.window_ends,
        )
        return settled(self.room, self.mission, self.found, view.now, ending)

    def fix(self, reason: Reason, failure: str, *, base: str = "", red: str = "") -> Saying:
        """Another attempt that is shown the failure; after three of them, the mission failed.

        red: the check that failed before, where the last attempt mended nothing of it.
        """
        if retries.may_fix(len(self.found.runs)):
            shown = "\n\n".join(part for part in (f"{reason}: {failure}", red) if part)
            return self.send(failure=shown, base=base)
        # That main moves is nobody's failure (law 4), however often it does.
        counts = reason is not Reason.MERGE_CONFLICT
        return self.failed(Reason.RETRIES_SPENT, f"{reason}: {failure}", counts=counts)

    def failed(self, reason: Reason, detail: str, *, counts: bool = True) -> Saying:
        """The mission failed; its need rests before it may be tried again."""
        now = self.view.now
        ending = Ending(
            kind=OutcomeKind.FAILED,
            reason=reason,
            detail=detail,
            counts=counts,
            retry_at=now + self.view.snapshot.installation.need_cooldown,
        )
        return settled(self.room, self.mission, self.found, now, ending)

    def _not_allowed(self) -> Saying:
        """Nobody's failure; its need rests, and waits until its repository is listed again."""
        now = self.view.now
        ending = Ending(
            kind=OutcomeKind.REFUSED,
            reason=Reason.REPOSITORY_NOT_ALLOWED,
            detail=f"{self.mission.repo!r} is not in spec.delivery.repoAllowlist any more",
            retry_at=now + self.view.snapshot.installation.need_cooldown,
        )
        return settled(self.room, self.mission, self.found, now, ending)


def _agent_of(mission: Mission, view: View) -> AgentBinding | None:
    for agent in view.snapshot.installation.agents:
        if agent.name == mission.agent:
            return agent
    return None


def _broke(room: str, agent: AgentBinding, view: View) -> Saying | None:
    """No attempt is paid for from a window that is overdrawn already (FAIL-5)."""
    window = view.snapshot.budget
    if agent.cost <= 0 or window is None or window.left >= 0:
        return None
    return Saying(
        room=room,
        reason=Reason.BUDGET_EXHAUSTED,
        detail=_overdraft(window),
        next_action=f"goes on when the window ends, at {window.window_ends:%Y-%m-%d %H:%M} UTC",
        look_again=window.window_ends,
    )


def _overdraft(window: Budget) -> str:
    return f"{window.name} is overdrawn by {-window.left} micro-units"


def _busy(room: str, lane: str, mission: Mission, view: View) -> Saying | None:
    other = view.holder(lane, mission)
    reason, resource = Reason.RUN_PENDING, lane
    if other is None:
        # Only elders are waited for: where paths meet both ways, two would wait for ever.
        met = view.occupied.meets(
            mission.repo,
            mission.contract.allowed_paths,
            lambda owner: view.elder(owner, mission.id),
        )
        if met is None:
            return None
        other, resource = met
        reason = Reason.REPOSITORY_BUSY
    return Saying(
        room=room,
        reason=reason,
        detail=f"{other} is at work",
        next_action=f"starts when {other} is done",
        blocked_on=resource,
    )


def _brief(mission: Mission, attempt: int, failure: str) -> Brief:
    """A repair is also told what it repairs: the same agent would fail alike once more."""
    if failure:
        goal = "Make the failing check pass."
    elif mission.cause:
        goal = "Make the smallest change that helps and does not fail like the last one."
    else:
        goal = "Make the smallest change that helps."
    shown = "\n\n".join(part for part in (mission.cause, failure) if part)
    return Brief(
        run=run_id(mission.id, attempt),
        goal=goal,
        facts=(mission.title,),
        allowed_paths=mission.contract.allowed_paths,
        checks=mission.contract.checks,
        rule=mission.rule,
        failure=shown[-FAILURE_CHARACTERS:],
        quoted=(mission.body,) if mission.body else (),
    )
