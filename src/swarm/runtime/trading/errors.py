"""What the order path refuses. Codes SWM680 to SWM689."""

from __future__ import annotations

from swarm.contract.errors import Refused, Unavailable


class KillFileUnreadable(Refused):
    """The file that remembers kills cannot be read, so nobody knows whether trading is stopped."""

    code = "SWM680"
    remedy = "Look at the file that the message names; removing it says that nothing is killed."


class KillFileUnwritable(Unavailable):
    """A kill holds, but could not be written to its file; a restart might forget it."""

    code = "SWM681"
    remedy = "Free the disk that holds the file; until then do not restart the order path."


class NotOpen(Refused):
    """The order path was asked before it had read its records and agreed with the venues."""

    code = "SWM682"
    remedy = "Call open and wait for it; it reads every record and asks every venue."


class NothingToUndo(Refused):
    """There is no latch, kill or break of that id."""

    code = "SWM683"
    remedy = "`swarmctl capital show` lists what is switched off, with the ids."


class SignatureUnreadable(Refused):
    """A signature is neither a base64 Ed25519 signature nor an armoured SSH one."""

    code = "SWM684"
    remedy = (
        "Sign the statement with `ssh-keygen -Y sign -n swarm -f KEY FILE`, with an Ed25519 key."
    )
