"""What text from outside may not carry any further: hidden, invisible and control characters.

Everything found in a feed, an API or a tool's output is hostile until it went through here.
What a person would not see is removed *and* flagged, so that its confidence can be capped.
Every step is linear in the length of the text, whatever the text is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from swarm.core.policy.markup import visible_text

RAW_LIMIT = 131_072  #: characters looked at per field; a title or body that needs more is no text
MARKER_WORDS = 2  #: a comment of so few words is an editor's marker such as `wp:paragraph`
LATIN = 0xFF  #: the last code point that never needs a joiner
TAB = 4  #: spaces a tab becomes in one-line fields and bodies alike


class Flag(StrEnum):
    """What the intake removed or noticed. Flags travel with the signal."""

    HIDDEN_TEXT = "hidden_text"  #: hidden elements, comments, unfinished tags
    INVISIBLE_UNICODE = "invisible_unicode"  #: format, private, unassigned or tag characters
    CONTROL_CHARACTERS = "control_characters"  #: terminal sequences and other control characters
    TRUNCATED = "truncated"  #: longer than its field may be


class Form(StrEnum):
    """How a text is meant to be read."""

    MARKUP = "markup"  #: HTML as feeds and forums carry it: only what a browser shows is kept
    PLAIN = "plain"  #: a tool's words, where `<b>` is four visible characters


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Harmless text and the sorted flags of what was taken out of it."""

    text: str
    flags: tuple[Flag, ...]


_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]?"  # CSI: colours, cursor movement
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*+(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, ...
    r"|\x1b[ -/]*+[0-~]?"  # two-character escapes
)
_MARKDOWN_COMMENT = re.compile(
    r"^[^\S\n]*+\[[^\]\n]{0,99}\]:[ \t]*+(?:#|<>)(?:[ \t][^\n]*+)?$", re.MULTILINE
)
_NOT_PLAIN = re.compile(r"[<&]|  |^ *+\[")
_SPACES = re.compile(r"[^\S\n]+")
_EMPTY_LINES = re.compile(r"\n\s*\n\s*")
_WORD = re.compile(r"[^\W\d_]{2,}")
_JOINERS = frozenset("\u200c\u200d")
_MARKS = frozenset("\u200e\u200f\u061c")
_SOFT_HYPHEN = "\u00ad"
_BYTE_ORDER = "\ufeff"
_SELECTORS = frozenset(map(chr, (*range(0xFE00, 0xFE0F), *range(0xE0100, 0xE01F0))))
_EMOJI_SELECTOR = "\ufe0f"
_UNSEEN = frozenset({"Cf", "Co", "Cn", "Cs"})


def clean(text: str, form: Form, limit: int) -> Cleaned:
    """Several lines of harmless text of at most `limit` characters.

    Cost: linear; 128 KiB of the worst known input takes well under a second.
    """
    if len(text) <= limit and _is_plain_line(text):
        return Cleaned(text.strip(), ())
    flags: set[Flag] = set()
    if len(text) > RAW_LIMIT:
        text = text[:RAW_LIMIT]
        flags.add(Flag.TRUNCATED)
    text = _without_unseen(_without_terminal_sequences(text, flags), flags)
    text = _without_hidden(text, form, flags)
    # Twice, because an entity may have spelt either of them.
    text = _without_unseen(_without_terminal_sequences(text, flags), flags)
    # What is left of an opener must not become a comment in whatever renders this next.
    text = text.replace("<!--", "<! --")
    text = unicodedata.normalize("NFC", text)
    text = _SPACES.sub(" ", text) if form is Form.MARKUP else text.expandtabs(TAB)
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    text = _EMPTY_LINES.sub("\n\n", text).strip()
    if len(text) > limit:
        text = text[: limit - 1].rstrip() + "…"
        flags.add(Flag.TRUNCATED)
    return Cleaned(text, tuple(sorted(flags)))


def clean_line(text: str, form: Form, limit: int) -> Cleaned:
    """The same on one line: a title, a name, a citation."""
    whole = clean(text, form, RAW_LIMIT)
    line = " ".join(whole.text.split())
    flags = set(whole.flags)
    if len(line) > limit:
        line = line[: limit - 1].rstrip() + "…"
        flags.add(Flag.TRUNCATED)
    return Cleaned(line, tuple(sorted(flags)))


def joined(flags: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """The flags of several fields as one sorted tuple."""
    return tuple(sorted({str(flag) for some in flags for flag in some}))


def _is_plain_line(text: str) -> bool:
    """True for one line in which nothing could be hidden: most of what tools say."""
    return text.isascii() and text.isprintable() and not _NOT_PLAIN.search(text)


def _without_terminal_sequences(text: str, flags: set[Flag]) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("\u2028", "\n").replace("\u2029", "\n\n").replace("\x0c", "\n")
    bare, found = _TERMINAL.subn("", text)
    controls = {c for c in set(bare) if unicodedata.category(c) == "Cc" and c not in "\n\t"}
    if found or controls:
        flags.add(Flag.CONTROL_CHARACTERS)
    return bare.translate({ord(c): None for c in controls}) if controls else bare


def _without_hidden(text: str, form: Form, flags: set[Flag]) -> str:
    hidden: list[str] = []
    if form is Form.MARKUP:
        shown = visible_text(text)
        text = shown.text
        hidden += shown.comments
        if shown.hidden.strip():
            flags.add(Flag.HIDDEN_TEXT)
    else:
        text = _without_comments(text, hidden)
    text = _MARKDOWN_COMMENT.sub(lambda match: _note(hidden, match[0]), text)
    if any(len(_WORD.findall(comment)) > MARKER_WORDS for comment in hidden):
        flags.add(Flag.HIDDEN_TEXT)
    return text


def _note(hidden: list[str], found: str) -> str:
    hidden.append(found)
    return ""


def _without_comments(text: str, hidden: list[str]) -> str:
    kept: list[str] = []
    at = 0
    while (begin := text.find("<!--", at)) != -1 and (end := text.find("-->", begin + 4)) != -1:
        kept.append(text[at:begin])
        hidden.append(text[begin + 4 : end])
        at = end + 3
    return "".join((*kept, text[at:]))


def _without_unseen(text: str, flags: set[Flag]) -> str:
    unseen = {c for c in set(text) if unicodedata.category(c) in _UNSEEN or c in _SELECTORS}
    if not all(_ordinary(text, character) for character in unseen):
        flags.add(Flag.INVISIBLE_UNICODE)
    unseen.add(_EMOJI_SELECTOR)
    return text.translate({ord(c): None for c in unseen})


def _ordinary(text: str, unseen: str) -> bool:
    """True when typography explains the character: it is still removed, but not suspicious."""
    if unseen == _BYTE_ORDER:
        return text.startswith(_BYTE_ORDER) and text.count(_BYTE_ORDER) == 1
    if unseen == _SOFT_HYPHEN:
        return all(_between_letters(text, place.start()) for place in re.finditer(unseen, text))
    if unseen in _JOINERS:  # emoji sequences, Persian and Indic spelling
        return all(_beside_wide(text, place.start()) for place in re.finditer(unseen, text))
    if unseen in _MARKS:
        # Two of the marks are of such a direction themselves; they explain nothing.
        return any(unicodedata.bidirectional(c) in {"R", "AL"} for c in set(text) - _MARKS)
    return False


def _between_letters(text: str, at: int) -> bool:
    return text[at - 1 : at].isalpha() and text[at + 1 : at + 2].isalpha()


def _beside_wide(text: str, at: int) -> bool:
    """Between two visible characters beyond ASCII, where joining means something."""
    around = text[at - 1 : at] + text[at + 1 : at + 2]
    visible = [c for c in around if ord(c) > LATIN and unicodedata.category(c) not in _UNSEEN]
    return len(visible) == 2  # noqa: PLR2004 - one on each side
