"""What can go wrong with a source on this machine. All of it means: nothing was heard."""

from __future__ import annotations

from swarm.contract.errors import SourceDown


class CommandMissing(SourceDown):
    """The source's program is not there, or may not be run."""

    code = "SWM480"
    remedy = "Install the program, or write its full path in the source's `run`."


class CommandFailed(SourceDown):
    """The source's command ended with an exit code that means it did not do its work."""

    code = "SWM481"
    remedy = "Run it by hand; if this exit code only means findings, add it to `ok_exit_codes`."


class CommandTimedOut(SourceDown):
    """The source's command did not end in time; it was killed with everything it started."""

    code = "SWM482"
    remedy = "Raise the source's `timeout`, or let the command look at less."


class OutputTooLarge(SourceDown):
    """The source printed, or its file holds, more than is read."""

    code = "SWM483"
    remedy = "Raise the source's `max_bytes`, or let it report less."


class OutputUnreadable(SourceDown):
    """What the source printed is not in the format that its settings name."""

    code = "SWM484"
    remedy = "Run the command by hand and compare its output with the source's `format`."


class ResultsMissing(SourceDown):
    """No result file is where the settings say."""

    code = "SWM485"
    remedy = "Run the tests once, or correct `files`; a missing file is never read as success."


class ResultsUnreadable(SourceDown):
    """A result file is no JUnit XML, is half-written, or declares a document type."""

    code = "SWM486"
    remedy = "Have the test runner write plain JUnit XML to a new file and rename it into place."


class CheckoutFailed(SourceDown):
    """The repository that the command should look at could not be checked out."""

    certain = True  # it lies on this machine: two more attempts would say the same
    code = "SWM487"
    remedy = "Mend what the message names; `swarmctl doctor` checks every repository."
