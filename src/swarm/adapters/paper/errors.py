"""What a paper venue refuses. Codes SWM470 to SWM479."""

from __future__ import annotations

from swarm.contract.errors import Refused


class PaperJournalUnreadable(Refused):
    """The file that a paper venue remembers its requests by cannot be replayed."""

    code = "SWM470"
    remedy = "Name another file for a new venue; its books begin empty, and a break will say so."
