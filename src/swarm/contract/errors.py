"""The root of every error: a stable code, what happened, and the remedy.

"The world said no" (`Refused`) and "we could not ask" (`Unavailable`) are never the same class.
The errors of the contract itself follow, with codes SWM101 to SWM199.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from swarm.contract.counted import counted


class SwarmError(Exception):
    """Every error this program raises on purpose. Subclasses set `code` and `remedy`."""

    code: ClassVar[str] = "SWM000"
    remedy: ClassVar[str] = "Run `swarmctl doctor`; it names what is broken and how to mend it."
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = remedy or type(self).remedy


class Refused(SwarmError):
    """The world, or our own policy, said no. Asking again unchanged gives the same answer."""

    code = "SWM001"
    remedy = "Change what was asked; the message names the part that is refused."


class Unavailable(SwarmError):
    """We could not ask. Nothing was decided; the same request may succeed later."""

    #: The longest pause until it is asked again; shorter where a person is mending it.
    ask_within: ClassVar[timedelta] = timedelta(minutes=5)
    code = "SWM002"
    remedy = "Wait or mend the outside system; the work resumes by itself."


class SourceDown(Unavailable):
    """A discovery source could not be read; the others go on, with degraded confidence."""

    certain = False  #: whether nothing between us and it can be to blame, and no pause mends it
    code = "SWM003"
    remedy = "Run `swarmctl source test NAME`; it prints what the source answered."


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with an object.

    path:  where, such as `spec.delivery.rollout.steps[1].setWeight`; empty for the whole text.
    wrong: what is wrong, one clause without a full stop.
    right: what would be right, one clause without a full stop.
    line:  the line of the text, from 1; None when the object came from no text.
    """

    path: str
    wrong: str
    right: str
    line: int | None = None

    def __str__(self) -> str:
        where = self.path or "the document"
        at_line = f" (line {self.line})" if self.line is not None else ""
        return f"{where}{at_line}: {self.wrong}; {self.right}"


class InvalidSwarm(Refused):
    """The object is not a Swarm that this program may obey; every problem found is listed."""

    code = "SWM101"
    remedy = "Mend each listed field; `swarmctl explain FIELD` prints its type, bounds and default."

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        self.source = source
        self.problems = problems
        listing = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"{source}: {counted(len(problems), 'problem')}{listing}")


class UnreadableManifest(InvalidSwarm):
    """The text is not YAML or JSON that can be read safely, so no field was looked at."""

    code = "SWM102"
    remedy = "Mend the text at the named line; it must be plain YAML or JSON of at most 1 MiB."


class InvalidDuration(Refused):
    """A text is not a duration of the Go grammar."""

    code = "SWM103"
    remedy = "Write a duration such as 5m, 90s, 1h30m or 0.5h."

    def __init__(self, wrong: str, right: str) -> None:
        self.wrong = wrong
        self.right = right
        super().__init__(f"{wrong}; {right}")


class UnknownProfile(Refused):
    """No profile of that name comes with this version."""

    code = "SWM104"
    remedy = "Name one of the profiles `control-plane` and `quant`, or drop the annotation."


class UnknownField(Refused):
    """No such field in the Swarm object."""

    code = "SWM105"
    exit_code = 5  # what was asked for is not there, as for any other name
    remedy = "`swarmctl explain spec` lists the fields; go down from there."


class UnrenderableSchema(Refused):
    """A Python type has no structural form, so no CRD can be rendered from it."""

    code = "SWM106"
    remedy = "Give the field a bounded, closed type: no Any, no recursion, no union, no free map."
