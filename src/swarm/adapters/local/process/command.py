"""Argument lists from the installation file, filled with values that came from elsewhere.

A filled-in value is always a single argument, or a list of them; it is never parsed again, by us
or by a shell. It cannot look like an option, and holds no control character.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from swarm.adapters.local.errors import BadCommand
from swarm.core.policy.intake_text import printable

Argument = Annotated[str, Field(min_length=1, max_length=4_096)]
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_RULE = re.compile(r"[A-Za-z0-9@][A-Za-z0-9_.:/@+~-]{0,199}")
_LONGEST_PATH = 1024


def _has_control(text: str) -> bool:
    return any(unicodedata.category(char) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"} for char in text)


def problems(run: Sequence[str]) -> list[str]:
    """What is wrong with a configured argument list; empty when it may be used."""
    found = []
    if run and run[0].startswith("-"):
        found.append(f"the program is {run[0]!r}; it must be a name or a path")
    # Line ends and tabs are part of a script that is given as one argument.
    found += [
        f"{printable(word)!r} holds a control character"
        for word in run
        if _has_control(word.replace("\n", "").replace("\t", ""))
    ]
    return found


def unknown_placeholders(run: Sequence[str], known: frozenset[str]) -> list[str]:
    """Placeholders that nothing would fill in, one sentence for each."""
    found = []
    for word in run:
        names = [name for name in _PLACEHOLDER.findall(word) if name not in known]
        allowed = ", ".join(f"{{{item}}}" for item in sorted(known))
        found += [f"{{{name}}} is no placeholder; there are {allowed}" for name in names]
        if "{paths}" in word and word != "{paths}":
            found.append(f"{word!r}: {{paths}} stands for several arguments, so it stands alone")
    return found


def checked_rule(rule: str) -> str:
    """A rule's name that may become an argument. Raises BadCommand."""
    if not _RULE.fullmatch(rule):
        raise BadCommand(
            f"rule {printable(rule[:80])!r} cannot be an argument: up to 200 letters, digits and"
            " _.:/@+~-, beginning with a letter or digit, would be right"
        )
    return rule


def checked_path(path: str) -> str:
    """A path inside the repository that may become an argument. Raises BadCommand."""
    parts = path.split("/")
    wrong = ""
    if not path or len(path.encode("utf-8", "replace")) > _LONGEST_PATH:
        wrong = "it is empty or longer than 1024 bytes"
    elif path.startswith(("-", "/", "~", ":")):
        wrong = "it begins with - / ~ or :"
    elif ".." in parts:
        wrong = "it leaves the repository"
    elif _has_control(path):
        wrong = "it holds a control character"
    if wrong:
        raise BadCommand(f"path {printable(path[:80])!r} cannot be an argument: {wrong}")
    return path


def filled(
    run: Sequence[str], values: Mapping[str, str], paths: Sequence[str] = ()
) -> tuple[str, ...]:
    """The argument list with the placeholders in `values` replaced. `{python}` is this Python.

    Raises BadCommand for one whose value is empty: an argument is never left empty by us.
    """
    known = {"python": sys.executable, **values}

    def value(hit: re.Match[str]) -> str:
        name = hit.group(1)
        if name not in known:
            return hit.group(0)
        if not known[name]:
            raise BadCommand(f"{{{name}}} in {hit.string!r} has no value for this order")
        return known[name]

    argv: list[str] = []
    for word in run:
        argv += (list(paths) or ["."]) if word == "{paths}" else [_PLACEHOLDER.sub(value, word)]
    return tuple(argv)
