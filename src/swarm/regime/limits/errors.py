"""What is refused about limits. Codes SWM860 to SWM869."""

from __future__ import annotations

from swarm.contract.errors import Refused


class LimitsInvalid(Refused):
    """A LimitSet has a field that is missing, out of bounds, doubled or contradicts another."""

    code = "SWM860"
    remedy = "Correct the field that the message names, and have the set signed again."

    def __init__(self, field: str, wrong: str, right: str) -> None:
        self.field = field
        super().__init__(f"{field}: {wrong}; {right}")


class LimitsNotInForce(Refused):
    """A LimitSet was altered, is not signed by somebody who may, or is older than the one held."""

    code = "SWM861"
    remedy = "Have the unaltered set signed by a listed risk officer who did not write it."


class RosterInvalid(Refused):
    """The list of people contradicts itself, or gives an agent what only a person may hold."""

    code = "SWM862"
    remedy = "Name each person and each key once, and give agents no role but `agent`."
