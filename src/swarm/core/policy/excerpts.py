"""What of a claim can be found again in a text: the title, and each sentence of the body."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from swarm.core.evidence import Excerpt
from swarm.core.nouns import Cited
from swarm.core.policy.citation import anchors

SENTENCE_LEAST = 24  #: characters; what is shorter stands in any text by chance
SENTENCES_MOST = 12
_ENDS = re.compile(r"(?<=[.!?])\s+|\n+")
_FILE = re.compile(
    r"(?P<path>[^:@\s][^:@\n]*)(?::(?P<line>\d{1,9}))?(?:@(?P<commit>[0-9a-f]{7,64}))?"
)


def plain(text: str) -> str:
    """A text as it is searched: NFC, case folded, single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def pieces(title: str, body: str) -> tuple[str, ...]:
    """The title and the first sentences that are long enough to be recognised, as `plain`."""
    sentences = (plain(part) for part in _ENDS.split(body.replace("\u2026", "\n")))
    long = [part for part in sentences if len(part) >= SENTENCE_LEAST]
    return (plain(title), *long[:SENTENCES_MOST])


def find(text: str, wanted: tuple[str, ...]) -> tuple[Excerpt, ...]:
    """Which of these pieces a `plain` text holds, and where. Cost: one search for each piece."""
    found = []
    for piece in wanted:
        if piece and (start := text.find(piece)) >= 0:
            digest = hashlib.sha256(piece.encode()).hexdigest()
            found.append(Excerpt(start=start, end=start + len(piece), sha256=digest))
    return tuple(found)


def claims(wanted: tuple[str, ...], found: tuple[Excerpt, ...]) -> bool:
    """True when a text says it: its title, or at least half of its sentences."""
    title = hashlib.sha256(wanted[0].encode()).hexdigest()
    sentences = [excerpt for excerpt in found if excerpt.sha256 != title]
    return len(sentences) < len(found) or 0 < len(wanted) - 1 <= 2 * len(sentences)


def file_place(citation: str) -> tuple[str, int, str] | None:
    """Path, line (0: none) and commit ("": none) of a citation in a repository; None of another."""
    found = _FILE.fullmatch(citation)
    if found is None or not (found["line"] or found["commit"]):
        return None
    return found["path"], int(found["line"] or 0), found["commit"] or ""


def readable(cited: Cited) -> bool:
    """Whether a citation can be read again: a page from outside, or a file of a repository.

    What a system of our own says about itself (an alert, a ticket) vouches for itself.
    """
    return cited.external or file_place(cited.citation) is not None


def tier(cited: Cited) -> str:
    """How far its source is trusted, as the record of a reading says it."""
    if not cited.external:
        return "own"
    return "trusted" if anchors(cited.trust, external=True) else "other"
