"""The one object that people write: `Swarm`, its spec, its defaults and its rules.

These types are the only source. The CRD is rendered from them (`contract.crd`), manifests are
checked by them (`contract.validate`), and the controller works with their defaulted instances.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, model_validator

from swarm.contract.block import Block, Line, Text, Url, Zone
from swarm.contract.cadence import Cadence
from swarm.contract.choices import Mode
from swarm.contract.compatibility import Integrations, MissionContract
from swarm.contract.delivery import Delivery
from swarm.contract.discovery import Discovery
from swarm.contract.execution import Execution
from swarm.contract.metadata import ObjectMeta
from swarm.contract.risk import Risk
from swarm.contract.rules import Distinct, Fault

GROUP = "swarm.proompteng.ai"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "Swarm"


class Owner(Block):
    """Who answers for a Swarm, and where they are reached."""

    id: Line = Field(
        description="Stable identity of the owner, for accountability and routing.",
        examples=["platform-owner"],
    )
    channel: Url = Field(
        description="Primary channel on which the owner is told what happened.",
        examples=["swarm://owner/platform"],
    )


class SwarmSpec(Block):
    """The standing intent of one owner.

    It says what to improve, how often, how far without asking, and when to stop.
    """

    owner: Owner
    domains: Annotated[tuple[Line, ...], Field(min_length=1, max_length=64), Distinct()] = Field(
        description="Fields of work, such as platform-reliability or docs-automation.",
        examples=[["platform-reliability"]],
    )
    objectives: Annotated[tuple[Text, ...], Field(min_length=1, max_length=64)] = Field(
        description="Outcomes to strive for, as statements and not as task lists.",
        examples=[["continuously improve the reliability of managed services"]],
    )
    mode: Mode = Field(
        description="How much may happen without asking: assisted waits for approval of R2 and"
        " R3, lights-out lets the gates decide."
    )
    cadence: Cadence = Field(default_factory=Cadence)
    discovery: Discovery = Field(default_factory=Discovery)
    delivery: Delivery = Field(default_factory=Delivery)
    risk: Risk = Field(default_factory=Risk)
    execution: Execution | None = None
    integrations: Integrations | None = None
    mission: MissionContract | None = None
    timezone: Zone | None = Field(
        default=None,
        description="Time zone in which schedules of older controllers are read.",
        examples=["UTC"],
    )


class SwarmObject(Block):
    """A whole Swarm as it is written: identity and spec. Status is never read from a manifest."""

    api_version: Literal["swarm.proompteng.ai/v1alpha1"] = Field(
        description="Group and version of the object.", examples=[API_VERSION]
    )
    kind: Literal["Swarm"] = Field(description="Kind of the object.", examples=[KIND])
    metadata: ObjectMeta
    spec: SwarmSpec

    _written_spec: Mapping[str, Any] | None = PrivateAttr(default=None)
    """The spec as its author wrote it, before profile and defaults; None when built in Python."""

    @model_validator(mode="before")
    @classmethod
    def _without_status(cls, data: Any) -> Any:
        """Leave out the status: it is the controller's word, never an input."""
        if not isinstance(data, Mapping):
            return data
        if not isinstance(data.get("status") or {}, Mapping):
            wrong = "the status is no block of fields"
            raise Fault(
                at=("status",), wrong=wrong, right="drop it; the controller writes it"
            ).error()
        return {key: value for key, value in data.items() if key != "status"}

    @property
    def name(self) -> str:
        """The Swarm's name, unique in its namespace."""
        return self.metadata.name

    @property
    def written_spec(self) -> Mapping[str, Any] | None:
        """The spec as its author wrote it, before profile and defaults."""
        return self._written_spec

    def remember_written(self, spec: Mapping[str, Any]) -> None:
        """Keep the spec as its author wrote it. Called once, by the door that read it."""
        self._written_spec = spec
