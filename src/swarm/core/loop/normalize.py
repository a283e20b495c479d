"""Normalize: what makes two signals the same need (LOOP-3).

A finding of a tool is the same need when class, repository, rule and paths are the same. Any other
text is the same need when class, repository, rule and paths are the same and its words are, after
everything that changes from one saying to the next (times, counts, ids, line numbers) is taken
out. Texts that are only alike are left to `core.likeness`.
"""

from __future__ import annotations

import re
import unicodedata

from swarm.core.nouns import Signal

LIKENESS_FROM = 80  #: characters; shorter texts have too few 5-grams to be told apart (exact only)
TEXT_MOST = 20_000  #: characters looked at: the rest of a longer text adds nothing but cost

MARK = "#"  #: one mark for all: a short commit may look like a number, a line like a time
_VOLATILE = tuple(
    re.compile(pattern, re.VERBOSE)
    for pattern in (
        # 2026-03-01T12:00:05.123Z and its relatives
        r"""\b \d{4}-\d\d-\d\d (?: [t ] \d\d:\d\d (?: :\d\d (?: [.,]\d+ )? )? )?
            (?: z | [+-]\d\d:?\d\d )? \b""",
        # uuid, 0x..., and 7 or more hexadecimal digits of which one is a digit: commits, hashes
        r"\b [0-9a-f]{8} (?: -[0-9a-f]{4} ){3} -[0-9a-f]{12} \b",
        r"\b 0x [0-9a-f]+ \b",
        r"\b (?= [a-f]* [0-9] ) [0-9a-f]{7,} \b",
        # generated names, such as the 7f9c8 and x2x9z of orders-7f9c8-x2x9z: digits in two places
        r"(?<! [^\W_] ) (?= [a-z]* \d+ [a-z]+ \d ) [a-z0-9]{5,} (?! [^\W_] )",
        # numbers with or without a unit, 12:00:05 and 97:14 among them; codes such as F401, utf8
        # and http2 keep theirs
        r"""(?<! [\w.] ) \d+ (?: [.,:]\d+ )*
            (?: ns | us | ms | s | m | h | d | k | kb | kib | mb | mib | gb | gib )? (?! \w )""",
    )
)
_DIGIT = re.compile(r"\d")
_SPACES = re.compile(r"\s+")


def normal(text: str) -> str:
    """The text as it is compared: NFC, case folded, volatile parts marked, single spaces."""
    text = whole(text)
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text[:TEXT_MOST]).casefold())
    if _DIGIT.search(text):  # whatever changes has a digit
        for pattern in _VOLATILE:
            text = pattern.sub(MARK, text)
    return _SPACES.sub(" ", text).strip()


def whole(text: str) -> str:
    """The text with every half of a surrogate pair replaced: such text has no bytes to hash."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def scope_of(signal: Signal) -> str:
    """What two signals must share to be one need at all, as one text."""
    parts = (signal.mission_class, signal.repo, signal.rule, *sorted(signal.paths))
    return whole("\x00".join(parts))


def is_finding(signal: Signal) -> bool:
    """True when rule and paths say exactly what is meant; the words do not matter then."""
    return bool(signal.rule and signal.paths)


def text_of(signal: Signal) -> str:
    """The words that count, normalised."""
    return normal(f"{signal.title}\n{signal.body}")


def fingerprint(signal: Signal, words: str | None = None) -> str:
    """The text from which a need's id is derived; equal for equal needs.

    words: the signal's `text_of`, where the caller has it at hand.
    """
    if is_finding(signal):
        return f"finding\x00{scope_of(signal)}"
    return f"text\x00{scope_of(signal)}\x00\x00{text_of(signal) if words is None else words}"


def comparable(text: str) -> bool:
    """True when a normalised text is long enough to be compared by likeness."""
    return len(text) >= LIKENESS_FROM
