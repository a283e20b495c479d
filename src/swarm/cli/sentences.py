"""What single words mean: reasons, phases, conditions and outcomes, each with its sentence.

The sentence stands behind the member as a `#:` comment, where the reference pages take it from
as well; so there is one text, and it is next to the code that it explains.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from enum import StrEnum
from functools import cache

#: Where words that people meet are defined.
_HOMES = (
    "swarm.core.reasons:Reason",
    "swarm.contract.status:Phase",
    "swarm.contract.conditions:ConditionType",
    "swarm.core.nouns:OutcomeKind",
    "swarm.core.loop.discover:Health",
    "swarm.cli.gate_strip:GateState",
)
_MEMBER = re.compile(r'^\s+[A-Z][A-Z0-9_]* = "([^"]+)"(?:.*?#: (.+))?$')
_NOTE = re.compile(r"^\s+#: (.+)$")


@cache
def sentences(kind: type[StrEnum]) -> dict[str, str]:
    """The sentence of each member's value, as its source tells it."""
    found: dict[str, str] = {}
    above: list[str] = []
    for text in inspect.getsource(kind).splitlines():
        if note := _NOTE.match(text):
            above.append(note[1])
        elif member := _MEMBER.match(text):
            found[member[1]] = " ".join([*above, member[2] or ""]).strip()
            above = []
    return found


def words() -> Iterator[tuple[str, str, str]]:
    """(word, what kind of word, its sentence) of every word that `explain` knows."""
    for place in _HOMES:
        module, _, name = place.partition(":")
        kind = getattr(importlib.import_module(module), name)
        for word, sentence in sentences(kind).items():
            yield word, name, sentence
