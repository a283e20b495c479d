"""`spec.cadence`: how often sources are read, and three pauses that are kept and not needed."""

from datetime import timedelta
from typing import Annotated

from swarm.contract.block import POSITIVE_SPAN, Block, span_field

Every = Annotated[timedelta, POSITIVE_SPAN]


class Cadence(Block):
    """How often sources are read; events wake all other steps of the loop, at once.

    A step never overlaps itself, and a late tick runs once.
    """

    discover_every: Every = span_field(
        "5m", "Pause between two readings of the same source. Feeds change slower than this."
    )
    plan_every: Every = span_field(
        "10m",
        "Accepted, and changes nothing: whatever changes has the open needs ranked at once.",
    )
    implement_every: Every = span_field(
        "10m",
        "Accepted, and changes nothing: agent work is dispatched as soon as nothing holds it.",
    )
    verify_every: Every = span_field(
        "5m",
        "Accepted, and changes nothing: a check that ends is judged at once. Rollouts and what is"
        " deployed are looked at every canary.look_every and slo.look_every of swarm.toml.",
    )
