"""What the regime runtime refuses, with codes SWM800 to SWM899."""

from __future__ import annotations

from swarm.contract.errors import Refused


class RegimeError(Refused):
    """The regime runtime cannot go on with what it was given; its state is as it was before."""

    code = "SWM800"
    remedy = "Mend what the message names; it says what would be right."

    def __init__(self, field: str, wrong: str, right: str) -> None:
        self.field, self.wrong, self.right = field, wrong, right
        super().__init__(f"{field} {wrong}; {right} is wanted")


class BadInput(RegimeError):
    """A number, or a shape of numbers, that the mathematics has no answer for."""

    code = "SWM801"
    remedy = "Mend the named field; the message says what would be right."


class BadSeries(BadInput):
    """A series that cannot be tested or fitted: it has gaps, is too short, or does not vary."""

    code = "SWM802"
    remedy = "Pass one stretch without gaps, long enough, in one unit, with the oldest first."


class BadModel(BadInput):
    """A model whose parameters are no model: probabilities that do not sum, scales not positive."""

    code = "SWM803"
    remedy = "Fit the model again with `swarmctl regime fit`; do not edit a fitted model by hand."


class BadObservation(BadInput):
    """An observation has another shape than the streams, or comes before one already seen."""

    code = "SWM804"
    remedy = "Hand over one observation for each stream, in order of time; NaN where there is none."


class BadParameters(BadInput):
    """A parameter of a detector lies outside its range."""

    code = "SWM805"
    remedy = "Set the named parameter within the range that the message gives."


class AlteredState(RegimeError):
    """Saved bytes are cut short, altered, or no state of this program at all."""

    code = "SWM806"
    remedy = "Restore an older state and replay the observations after it; do not mend the bytes."


class ForeignState(RegimeError):
    """A saved state is whole, but of another detector, version or parameter set."""

    code = "SWM807"
    remedy = "Restore it with the parameters it was saved under, or begin anew and replay."
