"""What added text may hold, and how many live tests a text has. Plain string work, linear time."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

#: All but visible ASCII and layout. Form feed and vertical tab appear in old sources as page marks.
#: A carriage return ends a line to a compiler and overwrites it on a terminal, so it only stands
#: where the line ends anyway, or in a file whose lines ended so before.
_ODD = re.compile(r"[^ -~\t\n\r\f\v]|\r(?!\r*\Z)")
_RETURN = re.compile(r"\r(?!\r*(?:\n|\Z))")

#: Joiners are part of real words (Persian, Hindi) and of emoji; between letters they may stay.
_JOINERS = frozenset("\u200c\u200d")
_JOINED = frozenset({"Lo", "Mn", "Mc", "So", "Sk"})

#: Variation selectors carry bytes unseen; only the emoji one (FE0F) has an everyday use.
_SELECTORS = range(0xFE00, 0xFE0F)

#: How a test looks, by the end of the file's name; and what takes a test out of the run.
_TESTS: tuple[tuple[tuple[str, ...], re.Pattern[str], re.Pattern[str]], ...] = (
    (
        (".py",),
        re.compile(r"^[ \t]*(?:async[ \t]+)?def[ \t]+test\w*[ \t]*\(", re.MULTILINE),
        re.compile(
            r"^[ \t]*(?:@(?:\w+\.)*(?:skip\w*|xfail|expectedFailure)\b"
            r"|pytestmark\b.*\b(?:skip\w*|xfail)\b|(?:pytest\.)?(?:skip|xfail)\("
            r"|self\.skipTest\(|raise[ \t]+(?:unittest\.)?SkipTest\b|__test__[ \t]*=[ \t]*False)",
            re.MULTILINE,
        ),
    ),
    (
        (".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts", ".cts"),
        re.compile(r"^[ \t]*(?:x?it|x?test|fit)(?:\.\w+)*[ \t]*\(", re.MULTILINE),
        # One `only` takes all others out of the run.
        re.compile(
            r"^[ \t]*(?:x(?:it|test|describe)|f(?:it|describe)"
            r"|(?:it|test|describe)\.(?:skip|todo|only))\b",
            re.MULTILINE,
        ),
    ),
    (
        ("_test.go",),
        re.compile(r"^func[ \t]+(?:Test|Fuzz|Example)\w*[ \t]*\(", re.MULTILINE),
        re.compile(r"^[ \t]*t\.Skip\w*\(", re.MULTILINE),
    ),
    (
        (".rs",),
        re.compile(r"^[ \t]*#\[(?:\w+::)*test\b", re.MULTILINE),
        re.compile(r"^[ \t]*#\[ignore\b", re.MULTILINE),
    ),
    (
        (".java", ".kt", ".groovy", ".scala"),
        re.compile(r"^[ \t]*@(?:Test|ParameterizedTest|RepeatedTest)\b", re.MULTILINE),
        re.compile(r"^[ \t]*@(?:Disabled|Ignore)\b", re.MULTILINE),
    ),
    (
        (".cs",),
        re.compile(r"^[ \t]*\[(?:Fact|Theory|Test|TestMethod|TestCase)\b", re.MULTILINE),
        re.compile(r"^[ \t]*\[(?:Ignore)\b|\bSkip[ \t]*=", re.MULTILINE),
    ),
    (
        ("_spec.rb", "_test.rb"),
        re.compile(r"^[ \t]*(?:it|specify|test)[ \t]+[\"']|^[ \t]*def[ \t]+test_", re.MULTILINE),
        re.compile(r"^[ \t]*(?:xit|pending|skip)\b", re.MULTILINE),
    ),
)

_PYTHON_TESTS = re.compile(r"test_.*\.py|.*_test\.py|tests\.py")
_PASSED_BY = frozenset({"build", "dist", "node_modules", "venv"})
_SCRIPT = re.compile(r"\.[cm]?[jt]sx?$")


def added(old: str, new: str) -> Iterator[tuple[int, str]]:
    """Lines of `new` that `old` does not have, with their number from 1.

    Lines are compared as a multiset, not by a diff: linear on hostile input, and a line that was
    only moved brings nothing new. Lines end at LF alone, as git counts them.
    """
    left = Counter(old.split("\n"))
    for number, line in enumerate(new.split("\n"), start=1):
        if left[line] > 0:
            left[line] -= 1
        else:
            yield number, line


def hidden(old: str, new: str) -> list[tuple[int, str]]:
    """Added characters that a reader cannot see or that reorder what he sees: (line, name).

    Source: Boucher and Anderson 2021, "Trojan Source", arXiv:2111.00169, and the tag and
    private-use characters by which instructions are smuggled to language models.
    """
    found = []
    by_returns = bool(_RETURN.search(old))
    for number, line in added(old, new):
        for odd in _ODD.finditer(line):
            at, char = odd.start(), odd[0]
            if char == "\r" and by_returns:
                continue
            if (number, at, char) == (1, 0, "\ufeff"):
                continue  # a byte-order mark where it belongs
            if _unseen(line, at, char):
                name = unicodedata.name(char, "control or unassigned")
                found.append((number, f"U+{ord(char):04X} {name}"))
                break
    return found


def _unseen(line: str, at: int, char: str) -> bool:
    if char in _JOINERS:
        around = line[max(0, at - 1) : at] + line[at + 1 : at + 2]
        return not all(unicodedata.category(near) in _JOINED for near in around)
    category = unicodedata.category(char)
    # Below plane 14 what is unassigned is left alone: a newer Unicode may have given it a face.
    return (
        category in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
        or ord(char) in _SELECTORS
        or ord(char) >= 0xE0000  # noqa: PLR2004 - tags, more selectors, private use: no faces
    )


def live_tests(path: str, text: str) -> int:
    """Tests in the text that would run: those defined less those skipped, never below zero."""
    for endings, tests, skips in _TESTS:
        if path.casefold().endswith(endings):
            return max(0, len(tests.findall(text)) - len(skips.findall(text)))
    return 0


def looked_into(path: str) -> bool:
    """Whether a test runner looks for tests in a file of this name, unless it is told otherwise.

    Source: pytest's defaults of `python_files` and `norecursedirs`, unittest's of Django, and
    jest's of `testMatch`. Other languages find tests by what is in the file.
    """
    *folders, name = path.casefold().split("/")
    if name.endswith(".py"):
        passed_by = any(folder.startswith(".") or folder in _PASSED_BY for folder in folders)
        return bool(_PYTHON_TESTS.fullmatch(name)) and not passed_by
    if _SCRIPT.search(name):
        return "__tests__" in folders or ".test." in name or ".spec." in name
    return True


def printable(text: str) -> str:
    r"""The text as one line for a terminal or a log: what cannot be seen becomes `\x1b`-like."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
