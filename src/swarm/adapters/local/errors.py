"""The errors of this machine's adapters, SWM4xx."""

from __future__ import annotations

from typing import ClassVar

from swarm.contract.errors import Refused, Unavailable


class JobNotStarted(Unavailable):
    """The supervisor of a command could not be started; the command itself never ran."""

    code: ClassVar[str] = "SWM401"
    remedy: ClassVar[str] = (
        "Look at the reason above: usually the disk or the process table is full. "
        "The job is tried again by itself."
    )


class BadCommand(Refused):
    """A configured command, or a value that should be put into it, is not acceptable."""

    code: ClassVar[str] = "SWM402"
    remedy: ClassVar[str] = (
        "Correct the `run` list in the installation file; "
        "only {rule}, {prompt_file}, {model}, {paths} and {cost_cap} are filled in."
    )


class WebhookFailed(Unavailable):
    """The owner's webhook did not take a message; the log has it."""

    code: ClassVar[str] = "SWM403"
    remedy: ClassVar[str] = (
        "Check `webhook` and `secret_env` of the channel in swarm.toml. "
        "The message is sent again by itself until `give_up_after`."
    )


class SealKeyUnusable(Refused):
    """The key that seals are signed with cannot be used, or others may read it."""

    code: ClassVar[str] = "SWM404"
    remedy: ClassVar[str] = (
        "Restore .swarm/seals/seal.key with mode 600. A new one is only made where there is none."
    )


class SealsUnwritable(Unavailable):
    """A seal could not be written down outside of the database."""

    code: ClassVar[str] = "SWM405"
    remedy: ClassVar[str] = (
        "Make room on the disk or mend the folder's rights; it is written at the next turn."
    )
