"""`spec.integrations` and `spec.mission`: blocks of the existing chart, typed and kept.

This product needs neither, yet an object that carries them keeps every word of them.
"""

from typing import Annotated

from pydantic import Field

from swarm.contract.block import Block, Line, Text, Url

Texts = Annotated[tuple[Text, ...], Field(max_length=64)]


class Persona(Block):
    """A worker as people know it and as the message bus knows it."""

    human_name: Line = Field(description="Name shown to people.", examples=["Ada Lovelace"])
    worker_identity: Line = Field(
        description="Identity used on the message bus.", examples=["ada-platform-architect"]
    )


class Personas(Block):
    """The three workers that speak for a Swarm."""

    architect: Persona = Field(description="Who plans.")
    engineer: Persona = Field(description="Who implements.")
    deployer: Persona = Field(description="Who delivers.")


class Nats(Block):
    """Where a Swarm's workers talk to each other."""

    url: Url | None = Field(
        default=None, description="Address of the server.", examples=["nats://nats.example:4222"]
    )
    subject_prefix: Line | None = Field(default=None, description="First part of every subject.")
    channel: Line | None = Field(default=None, description="Channel within the prefix.")
    personas: Personas = Field(description="Who speaks.")


class Integrations(Block):
    """Outside systems that older controllers talk to."""

    nats: Nats | None = Field(default=None, description="Message bus of the workers.")


class MissionContract(Block):
    """What every mission of this Swarm promises, in the owner's words."""

    business_metric: Text | None = Field(
        default=None, description="The figure that all missions are to improve."
    )
    handoff_required_fields: Texts = Field(
        default=(), description="What a handoff from one stage to the next must contain."
    )
    ledger_ref: Url | None = Field(
        default=None, description="Where agents keep the running record of their missions."
    )
    source_design: Url | None = Field(
        default=None, description="The design document that governs the missions."
    )
    validation_contract: Texts = Field(
        default=(), description="Statements that must hold for a mission to count as done."
    )
    value_gates: Texts = Field(
        default=(), description="Names of the figures by which value is judged."
    )
