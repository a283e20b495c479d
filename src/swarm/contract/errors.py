"""The root of every error: a stable code, what happened, and the remedy.

"The world said no" (`Refused`) and "we could not ask" (`Unavailable`) are never the same class.
"""

from __future__ import annotations

from typing import ClassVar


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

    code = "SWM002"
    remedy = "Wait or mend the outside system; the work resumes by itself."


class SourceDown(Unavailable):
    """A discovery source could not be read; the others go on, with degraded confidence."""

    code = "SWM003"
    remedy = "Run `swarmctl source test NAME`; it prints what the source answered."
