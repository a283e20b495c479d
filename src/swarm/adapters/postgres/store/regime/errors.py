"""What the regime's store refuses. Codes SWM350 to SWM359."""

from __future__ import annotations

from swarm.adapters.postgres.store.errors import CONFLICT
from swarm.contract.errors import Refused


class ToldOtherwise(Refused):
    """Something is stored already under this key, and says something else. Nothing was written."""

    code = "SWM350"
    remedy = "What was written stays; correct it by a new stream, cycle or trial, never in place."
    exit_code = CONFLICT


class ObservationRefused(Refused):
    """An observation is unsorted, doubled, or no list of finite numbers."""

    code = "SWM351"
    remedy = "Give ticks that rise, times in nanoseconds, and finite values; the message names one."


class StateDamaged(Refused):
    """A stored state does not hash to what was stored with it. It is not loaded."""

    code = "SWM352"
    remedy = "Load the version before it, and replay the observations from there."


class TrialUnknown(Refused):
    """No trial, or no look, of that name was registered before; results cannot come first."""

    code = "SWM353"
    remedy = "Register the trial, or the look, before anything is computed from it."
