"""What the controls refuse. Codes SWM865 to SWM869."""

from __future__ import annotations

from swarm.contract.errors import Refused


class LedgerContradiction(Refused):
    """An event contradicts the ledger (unknown order, too much traded) and was not applied."""

    code = "SWM865"
    remedy = "The books are frozen by it; reconcile with the venue, then clear the break."


class TokenRefused(Refused):
    """A token does not allow what was asked: wrong person, other subject, expired, or used."""

    code = "SWM866"
    remedy = "Ask a listed person with the role for a fresh token that names exactly this."


class OverrideRefused(Refused):
    """An override is not two people's, not for this order, expired, used, or not possible here."""

    code = "SWM867"
    remedy = "A risk officer verifies and a supervisor authorises, for this order alone, anew."


class UnwindImpossible(Refused):
    """An unwind policy would sell without bound, or never."""

    code = "SWM868"
    remedy = (
        "Give a share of the volume between 1 and 1,000,000 ppm and a slice of one lot or more."
    )


class AssessmentInvalid(Refused):
    """An assessment's period is empty or turned round."""

    code = "SWM869"
    remedy = "Give the first instant of the period and the first one after it."
