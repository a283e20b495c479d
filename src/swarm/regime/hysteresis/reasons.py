"""Why a regime changed, or did not: one bit each, so that a kernel can say several at once."""

from __future__ import annotations

from enum import IntFlag


class RegimeReason(IntFlag):
    """Why the tick ended as it did. The names, in lower case, are what a record shows."""

    PROMOTED = 1  #: the candidate became the active regime
    CONFIRMING = 2  #: refused: the candidate has not yet held for enough ticks
    DWELLING = 4  #: refused: the active regime has not yet held for its shortest time
    NO_NEW_RUN = 8  #: refused: nothing says that a new run began since the active one was justified
    WAITED_TOO_LONG = 16  #: a confirmed candidate found no new run, so what is true is not known
    CANDIDATE_DROPPED = 32  #: the candidate lost its support
    DRIFT_COUNTS = 64  #: an open drift episode, newer than the active regime, counts as a new run
    DEFENSIVE_MASS = 128  #: more probable than not, something more defensive is going on
    DISAGREEMENT = 256  #: the detectors disagree
    AMBIGUITY = 512  #: the posterior is spread over several regimes
    DETECTOR_STALE = 1024  #: a detector that must speak has had nothing to speak of for too long
    DETECTOR_BROKEN = 2048  #: a detector that must speak said something that is no number
    DETECTOR_UNKNOWN = 4096  #: a detector that must speak runs a version nobody signed
    NEVER_ACTIVE = 8192  #: no regime has been active yet
    HARD_TRIP = 16384  #: the market itself is broken: crossed, stale, or far beyond what is usual
    NOTHING_SEEN = 32768  #: refused: nothing was observed at this tick, so nothing counts
    CALMING = 65536  #: what we doubted is well again, but not yet for long enough
    CLEARED = 131072  #: what spoke against it, doubt or mass, does so no longer

    @property
    def names(self) -> tuple[str, ...]:
        """Each reason by its name, in the order of the bits."""
        return tuple(str(one.name).lower().replace("_", "-") for one in RegimeReason if one in self)


FAULTS = (
    RegimeReason.DETECTOR_STALE
    | RegimeReason.DETECTOR_BROKEN
    | RegimeReason.DETECTOR_UNKNOWN
    | RegimeReason.HARD_TRIP
)
"""What makes us say `uncertain` at once, within the tick; nothing is averaged."""
REFUSALS = RegimeReason.CONFIRMING | RegimeReason.DWELLING | RegimeReason.NO_NEW_RUN
"""Why a candidate did not become active at this tick."""
