"""What the regime runtime's shell refuses. Codes SWM690 to SWM699."""

from __future__ import annotations

from swarm.contract.errors import Refused


class TapeRefused(Refused):
    """A file of prices, or of quotes and trades, has something in it that no market can show."""

    code = "SWM690"
    remedy = "Mend the named line or column; the message says what would be right."


class ModelRefused(Refused):
    """A file is no regime model, was altered, or is of another instrument or kind of tape."""

    code = "SWM691"
    remedy = "Make one with `swarmctl regime fit FILE --out model.json`; do not edit it."


class ReplayRefused(Refused):
    """A saved replay is none, was altered, or has seen everything that the file holds."""

    code = "SWM692"
    remedy = (
        "Resume with the model and the release that it was saved under, or replay from the"
        " beginning; with --store, under a new name."
    )


class ExtraMissing(Refused):
    """A library of the optional part `regime` is not installed."""

    code = "SWM693"
    remedy = "Install it: `pip install 'swarmctl[regime]'`; or give CSV, and leave --picture out."


class NoSuchStream(Refused):
    """Nothing is stored under this name, or no such tick was replayed."""

    code = "SWM694"
    remedy = "Store one with `swarmctl regime replay FILE --model MODEL --store NAME`."
    exit_code = 5


class StepRefused(Refused):
    """A step on the capital ladder has not earned its gate; the message lists what is unmet."""

    code = "SWM695"
    remedy = "Do what the message lists; `swarmctl capital show` says what is switched off."
    exit_code = 6


class LookRefused(Refused):
    """A look would be at what was seen already, out of order, or one too many."""

    code = "SWM696"
    remedy = "Say before the data come when you will look; the message says what would be right."
    exit_code = 6
