"""The installation file `swarm.toml`: what each name in a Swarm's spec means on this machine."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from swarm.adapters.feeds.settings import AlertmanagerSettings, FeedSettings, JsonSettings
from swarm.adapters.local.agents.settings import AgentSettings
from swarm.adapters.local.attest.settings import AttestationSettings
from swarm.adapters.local.channel import ChannelSettings
from swarm.adapters.local.checks.settings import CheckSettings
from swarm.adapters.local.git.settings import RepositorySettings
from swarm.adapters.local.sources.settings import CommandSettings, ResultsSettings
from swarm.adapters.local.targets import TargetSettings
from swarm.runtime.errors import BadSettings, SettingsMissing
from swarm.runtime.policy_settings import (
    ApprovalSettings,
    BudgetSettings,
    CanarySettings,
    DatabaseSettings,
    LoopSettings,
    RiskSettings,
    SealSettings,
    SloSettings,
)
from swarm.runtime.regime.settings import RegimeSettings
from swarm.runtime.settings_paths import anchored
from swarm.runtime.settings_problems import problems
from swarm.runtime.trading.settings import TradingSettings

FILE = "swarm.toml"
LARGEST = 1024 * 1024
NAMED = ("sources", "targets")  #: tables whose settings carry their own name
AnySource = Annotated[
    CommandSettings | ResultsSettings | FeedSettings | JsonSettings | AlertmanagerSettings,
    Field(discriminator="kind"),
]


class Settings(BaseSettings):
    """One installation. Every name in a spec is bound here, and nowhere else."""

    model_config = SettingsConfigDict(
        env_prefix="SWARM_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    database: DatabaseSettings = Field(
        default=DatabaseSettings(), description="Where Swarm keeps what it knows."
    )
    repositories: dict[str, RepositorySettings] = Field(
        default={}, max_length=500, description="Repositories of `delivery.repoAllowlist`, by name."
    )
    checks: dict[str, CheckSettings] = Field(
        default={}, max_length=500, description="Checks of `delivery.requiredChecks`, by name."
    )
    agents: dict[str, AgentSettings] = Field(
        default={},
        max_length=100,
        description="Commands that make changes. The first one that takes a need's class and rule"
        " gets it.",
    )
    targets: dict[str, TargetSettings] = Field(
        default={}, max_length=100, description="Services of `delivery.deploymentTargets`, by name."
    )
    regimes: dict[str, RegimeSettings] = Field(
        default={},
        max_length=100,
        description="Targets of `[targets]` that trade, by the target's name. A broken limit takes"
        " a rollout back and freezes the Swarm.",
    )
    sources: dict[str, AnySource] = Field(
        default={}, max_length=500, description="Sources of `discovery.sources`, by name."
    )
    attestations: dict[str, AttestationSettings] = Field(
        default={},
        max_length=500,
        description="What must be signed per repository (Gate 4). A repository without an entry"
        " reads `not configured` there.",
    )
    channels: dict[str, ChannelSettings] = Field(
        default={}, max_length=100, description="Channels of `owner.channel`, by name."
    )
    budgets: dict[str, BudgetSettings] = Field(
        default={}, max_length=100, description="Budgets of `risk.budgetRef`, by name."
    )
    approvals: dict[str, ApprovalSettings] = Field(
        default={}, max_length=100, description="Policies of `risk.approvalPolicyRef`, by name."
    )
    risk: RiskSettings = Field(default=RiskSettings(), description="How risk is told.")
    canary: CanarySettings = Field(default=CanarySettings(), description="Limits of Gate 5.")
    slo: SloSettings = Field(default=SloSettings(), description="Limits of Gate 6.")
    seals: SealSettings = Field(
        default=SealSettings(), description="How the trail is made tamper-evident."
    )
    loop: LoopSettings = Field(default=LoopSettings(), description="How much happens at once.")
    trading: TradingSettings | None = Field(
        default=None, description="The order path. Unset: nothing trades."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, so that one file serves many machines."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    def guarded_repositories(self) -> dict[str, RepositorySettings]:
        """The repositories, each guarding the files that say what a check does."""
        files = tuple(
            dict.fromkeys(file for check in self.checks.values() for file in check.defined_in())
        )
        return {name: repo.guarding(files) for name, repo in self.repositories.items()}

    @model_validator(mode="after")
    def _regimes_of_targets(self) -> Self:
        """A regime of a target that is not there would be watched by nobody."""
        for name in self.regimes.keys() - self.targets.keys():
            known = ", ".join(self.targets) or "none"
            raise ValueError(f"regimes.{name}: there is no target {name!r}; there are: {known}")
        return self

    @model_validator(mode="before")
    @classmethod
    def _names_inside(cls, data: Any) -> Any:
        """A table's own name is the `name` of what it describes."""
        for kind in NAMED if isinstance(data, dict) else ():
            tables = data.get(kind)
            for name, table in tables.items() if isinstance(tables, dict) else ():
                if isinstance(table, dict):
                    table.setdefault("name", name)
        return data


def load(path: Path) -> Settings:
    """The settings of an installation file. Raises `SettingsMissing` or `BadSettings`."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise SettingsMissing(f"there is no {path}") from error
    except OSError as error:
        raise BadSettings(f"{path}: {error.strerror}") from error
    if len(raw) > LARGEST:
        raise BadSettings(f"{path} has {len(raw)} bytes; at most {LARGEST} are read")
    try:
        tables = tomllib.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(f"{path}: {error}") from error
    try:
        return anchored(Settings(**tables), path.absolute().parent)
    except ValidationError as error:
        raise BadSettings(f"{path}:\n{problems(error, Settings)}") from error
