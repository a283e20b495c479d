"""What the sequential analysis refuses: readings that no counter could have produced."""

from __future__ import annotations

from swarm.contract.errors import Refused


class BadCounts(Refused):
    """A counter reading that cannot be true: negative, infinite, or more bad than total."""

    code = "SWM260"
    remedy = (
        "Correct the metric binding of the target: totals count every request, bad ones are part "
        "of the total, histogram buckets are cumulative and share one set of edges."
    )


class BadLooks(Refused):
    """A series of looks that is not in order of time, or mixes two histogram layouts."""

    code = "SWM261"
    remedy = "Pass the looks of one rollout, oldest first, each read at its own time."


class BadThresholds(Refused):
    """A canary threshold outside its range."""

    code = "SWM262"
    remedy = "Correct the named field of the target's canary settings in swarm.toml."
