"""What the order path refuses. Codes SWM679 to SWM689."""

from __future__ import annotations

from swarm.contract.errors import Refused, Unavailable


class BooksUnread(Unavailable):
    """What a person accepts is what the venues' books say, and they cannot be read or valued."""

    code = "SWM679"
    remedy = "Try again once the venue that the message names answers; the token lasts."


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


class NobodyTrades(Unavailable):
    """The order path of this installation does not answer; nothing was asked of it."""

    code = "SWM685"
    remedy = "Start it with `swarmctl up`; `swarmctl logs` and `swarmctl trading status` say more."


class StatementUnreadable(Refused):
    """An order, a token, an override or a request is not what its form says; a field is named."""

    code = "SWM686"
    remedy = "Correct the field that the message names; docs/CONTROLS.md shows each form."


class TradingNotConfigured(Refused):
    """This installation has no table [trading], so there is nothing that could trade."""

    code = "SWM687"
    remedy = "Add the table [trading] to swarm.toml; docs/SETTINGS.md lists its fields."
    exit_code = 5


class KeyUnreadable(Refused):
    """A file is no Ed25519 private key as ssh-keygen writes it, or its passphrase is another."""

    code = "SWM688"
    remedy = "Make one with `ssh-keygen -t ed25519`, and list its public line in swarm.toml."


class SignerUnlisted(Refused):
    """A key signs for nobody that swarm.toml lists, or for somebody who may not do this."""

    code = "SWM689"
    remedy = "List the public key under [trading.people.NAME] with the role that may do it."
    exit_code = 4
