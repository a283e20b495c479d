"""What the store refuses, each with its remedy. Codes SWM330 to SWM349."""

from __future__ import annotations

from swarm.contract.errors import Refused

NOT_ALLOWED, NOT_FOUND, BY_POLICY, CONFLICT = 4, 5, 6, 7  #: exit codes of the command line


class StaleFence(Refused):
    """Somebody else holds this order by now, or it is settled or voided. Nothing was written."""

    code = "SWM330"
    remedy = "None is needed: whoever holds the order carries on; this controller drops its copy."
    exit_code = CONFLICT


class OrderHeld(Refused):
    """A freeze, shadow mode or another policy holds this order back. It was given back."""

    code = "SWM331"
    remedy = "`swarmctl get freezes` shows what holds it; it is claimed again when that ends."
    exit_code = BY_POLICY


class StaleCursor(Refused):
    """Another controller has read this source further. Nothing was written."""

    code = "SWM332"
    remedy = "None is needed: the next reading starts where the other one ended."
    exit_code = CONFLICT


class NotFound(Refused):
    """Nothing of that name or with that id is stored."""

    code = "SWM333"
    remedy = "`swarmctl get KIND` lists what there is."
    exit_code = NOT_FOUND


class Ambiguous(Refused):
    """The prefix fits more than one id."""

    code = "SWM334"
    remedy = "Write more characters of the id; the message lists what it fits."
    exit_code = NOT_FOUND


class NothingToApprove(Refused):
    """The mission asks nothing that could be answered now."""

    code = "SWM335"
    remedy = "`swarmctl why MISSION` says what it waits for; a new commit asks a new question."
    exit_code = CONFLICT


class NotAnApprover(Refused):
    """This person may not answer for this Swarm."""

    code = "SWM336"
    remedy = "Ask one of the approvers that the installation names for this approval policy."
    exit_code = NOT_ALLOWED


class ResumeRefused(Refused):
    """A freeze's checklist is not met yet; the message lists what is missing."""

    code = "SWM337"
    remedy = "Requalification runs by itself once the window has passed; a token goes with --token."
    exit_code = BY_POLICY


class MissionEnded(Refused):
    """The mission has ended, so nothing can be done to it any more."""

    code = "SWM338"
    remedy = "`swarmctl get missions` shows the open ones; `swarmctl need` reopens a need."
    exit_code = CONFLICT


class NeedNotOpen(Refused):
    """The need is not in a state in which this could be done."""

    code = "SWM339"
    remedy = "`swarmctl why NEED` shows where it stands."
    exit_code = CONFLICT


class SpecUnreadable(Refused):
    """The stored spec does not fit this release; a newer release wrote it."""

    code = "SWM340"
    remedy = "Upgrade this controller, or apply the manifest again with this release."


class TextRefused(Refused):
    """A text that people must be able to read later is empty or too long."""

    code = "SWM341"
    remedy = "Write one sentence of at most 2,000 characters."


class DatabaseRolledBack(Refused):
    """More seals were published than the database knows: it is older than it was, or another."""

    code = "SWM342"
    remedy = (
        "Run `swarmctl audit verify`; it names the first seal that is missing. If you restored a"
        " backup yourself, move the named file of .swarm/seals aside and keep it."
    )
    exit_code = CONFLICT


class ChainBroken(Refused):
    """A chain of gate records was changed, cut or mixed up after it was written."""

    code = "SWM345"
    remedy = "Stop trading; restore the database from a backup and compare it from that record on."
    exit_code = BY_POLICY


class ChainHeld(Refused):
    """Another order path trades under this chain, here or elsewhere; one does at a time."""

    code = "SWM348"
    remedy = (
        "Name another `trading.chain` in one of the two swarm.toml, or stop the one that the"
        " message names: then this one takes over."
    )
    exit_code = CONFLICT


class RecordUnreadable(Refused):
    """A gate record is of a kind or shape that this release does not know."""

    code = "SWM346"
    remedy = "Run the release that wrote it, or a newer one; no record is ever skipped."


class RecordRefused(Refused):
    """An order was accepted before, or a token was used before. Nothing was written."""

    code = "SWM347"
    remedy = "None is needed for an order; a token is asked for anew."
    exit_code = CONFLICT
