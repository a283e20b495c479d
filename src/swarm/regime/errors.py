"""What the regime runtime refuses, with codes SWM801 to SWM899."""

from __future__ import annotations

from swarm.contract.errors import Refused


class BadInput(Refused):
    """A number, or a shape of numbers, that the mathematics has no answer for."""

    code = "SWM801"
    remedy = "Mend the named field; the message says what would be right."

    def __init__(self, field: str, wrong: str, right: str) -> None:
        self.field, self.wrong, self.right = field, wrong, right
        super().__init__(f"{field} {wrong}; {right} is wanted")


class BadSeries(BadInput):
    """A series that cannot be tested or fitted: it has gaps, is too short, or does not vary."""

    code = "SWM802"
    remedy = "Pass one stretch without gaps, long enough, in one unit, with the oldest first."


class BadModel(BadInput):
    """A model whose parameters are no model: probabilities that do not sum, scales not positive."""

    code = "SWM803"
    remedy = "Fit the model again with `swarmctl regime fit`; do not edit a fitted model by hand."
