"""`spec.cadence`: how often each step of the loop may begin."""

from datetime import timedelta
from typing import Annotated

from swarm.contract.block import POSITIVE_SPAN, Block, span_field

Every = Annotated[timedelta, POSITIVE_SPAN]


class Cadence(Block):
    """How often each step of the loop may begin.

    A step never overlaps itself, and a late tick runs once. Events wake a step at once and do not
    wait for its cadence.
    """

    discover_every: Every = span_field(
        "5m", "Pause between two readings of the same source. Feeds change slower than this."
    )
    plan_every: Every = span_field(
        "10m", "Pause between two rankings of the open needs when nothing new arrived."
    )
    implement_every: Every = span_field("10m", "Pause between two dispatches of agent work.")
    verify_every: Every = span_field(
        "5m", "Pause between two looks at running checks, rollouts and deployed revisions."
    )
