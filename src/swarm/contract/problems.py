"""Turns pydantic's findings into problems that say where, what is wrong and what would be right."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from swarm.contract.block import PATTERN_MEANING
from swarm.contract.errors import Problem, UnknownField
from swarm.contract.rules import RULE_BROKEN
from swarm.contract.schema import children_of, field_schema, paths_ending_in
from swarm.contract.tree import Path, line_of, spell

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

_SHOWN = 60
_PLACES_MAX = 2  # a name with more places, such as `name`, tells nothing about what was meant
_KINDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a block of fields",
    "model_type": "a block of fields",
    "model_attributes_type": "a block of fields",
}


def as_problems(found: Iterable[ErrorDetails], lines: dict[Path, int]) -> list[Problem]:
    """All findings in our words.

    found: the entries of `ValidationError.errors()`.
    lines: lines of the document's paths; the nearest known ancestor names the line.
    """
    return [_as_problem(details, lines) for details in found if not _is_echo(details)]


def _is_echo(details: ErrorDetails) -> bool:
    """Whether pydantic calls a list too short only because it left out the bad items."""
    value = details.get("input")
    is_long_enough = isinstance(value, list) and len(value) >= details.get("ctx", {}).get(
        "min_length", 0
    )
    return details["type"] == "too_short" and is_long_enough


def _as_problem(details: ErrorDetails, lines: dict[Path, int]) -> Problem:
    context: dict[str, Any] = details.get("ctx", {})
    path: Path = tuple(part for part in details["loc"] if part != "[key]")
    if details["type"] == RULE_BROKEN:
        path = (*path, *context["at"])
        wrong, right = str(context["wrong"]), str(context["right"])
    else:
        wrong, right = _explain(details["type"], path, details.get("input"), context)
    return Problem(path=spell(path), wrong=wrong, right=right, line=line_of(path, lines))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, or None.

    Words are compared without case, dashes and underscores: `merge_policy` means `mergePolicy`.
    """
    folded = {_fold(name): name for name in known}
    if _fold(word) in folded:
        return folded[_fold(word)]
    close = get_close_matches(_fold(word), folded, n=1, cutoff=0.65)
    return folded[close[0]] if close else None


def _fold(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")


def _explain(kind: str, path: Path, value: object, context: dict[str, Any]) -> tuple[str, str]:
    if kind == "missing":
        return "it is missing", _how_to_write(path)
    if kind == "extra_forbidden":
        return "there is no such field", _meant_field(path)
    if kind in {"enum", "literal_error"}:
        return _choice(path, value)
    if kind in _KINDS:
        return _other_type(kind, path, value)
    return _out_of_bounds(kind, value, context)


def _out_of_bounds(kind: str, value: object, context: dict[str, Any]) -> tuple[str, str]:
    shown = _show(value)
    if kind == "string_pattern_mismatch":
        meaning = PATTERN_MEANING.get(context["pattern"], f"write a text like {context['pattern']}")
        return f"{shown} has characters that are not allowed here", meaning
    if kind == "string_too_short":
        return "the text is empty", "write at least one character"
    if kind == "string_too_long":
        length = len(value) if isinstance(value, str) else 0
        return f"the text has {length} characters", f"write at most {context['max_length']}"
    if kind == "too_short":
        return "the list is empty", f"write at least {_count(context['min_length'])}"
    if kind == "too_long":
        actual = context.get("actual_length", "too many")
        return f"there are {actual} entries", f"write at most {context['max_length']}"
    if kind == "greater_than_equal":
        return f"{shown} is too small", f"write {context['ge']:g} or more"
    if kind == "less_than_equal":
        return f"{shown} is too large", f"write {context['le']:g} or less"
    if kind == "finite_number":
        return f"{shown} is not finite", "write a finite number"
    if kind == "string_unicode":
        return "the text has half characters (lone surrogates)", "write whole characters"
    return f"{shown} is not allowed here ({kind})", "see `swarmctl explain` for this field"


def _how_to_write(path: Path) -> str:
    name = path[-1]
    try:
        schema = field_schema(_plain(path))
    except UnknownField:
        return f"write {name}"
    if examples := schema.get("examples"):
        return f"write it, for example {name}: {_show(examples[0])}"
    if choices := schema.get("enum"):
        return f"write {name}: {' or '.join(choices)}"
    return f"write {name}: with {', '.join(children_of(schema)) or 'a value'}"


def _meant_field(path: Path) -> str:
    name = str(path[-1])
    try:
        known = children_of(field_schema(_plain(path[:-1])))
    except UnknownField:
        known = []
    meant = nearest(name, known)
    if meant and _fold(meant) == _fold(name):
        return f"did you mean {meant}?"
    elsewhere = paths_ending_in(name)
    if 0 < len(elsewhere) <= _PLACES_MAX:
        return f"the field {name} belongs at {' or '.join(elsewhere)}"
    if meant:
        return f"did you mean {meant}?"
    return f"the fields here are {', '.join(known)}" if known else "drop it"


def _choice(path: Path, value: object) -> tuple[str, str]:
    choices = [str(choice) for choice in field_schema(_plain(path)).get("enum", [])]
    wrong = f"{_show(value)} is not one of its values"
    listing = f"write {' or '.join(choices)}"
    meant = nearest(value, choices) if isinstance(value, str) else None
    return wrong, f"did you mean {meant}? {listing}" if meant else listing


def _other_type(kind: str, path: Path, value: object) -> tuple[str, str]:
    wanted = _KINDS[kind]
    is_scalar = isinstance(value, bool | int | float)
    wrong = f"{_show(value)} is {_kind_of(value)}, not {wanted}"
    if kind == "string_type" and is_scalar:
        return wrong, f'put it in quotes: "{_show(value)}"'
    if kind in {"int_type", "float_type"} and isinstance(value, str) and _is_number(value):
        return wrong, f"write it without quotes: {value}"
    if kind == "tuple_type" and not isinstance(value, dict):
        return wrong, f"write it as a list: [{_show(value)}]"
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        try:
            names = children_of(field_schema(_plain(path)))
        except UnknownField:
            names = []
        return wrong, f"write fields below it: {', '.join(names) or 'name: value'}"
    return wrong, f"write {wanted}"


def _kind_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a block of fields" if isinstance(value, dict) else "a list"


def _show(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    shown = repr(value) if isinstance(value, str) else str(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdecimal()


def _count(number: int) -> str:
    return "one entry" if number == 1 else f"{number} entries"


def _plain(path: Path) -> tuple[str, ...]:
    """The path without list positions, as the schema knows it."""
    return tuple(part for part in path if isinstance(part, str))


def unknown_word(word: str, known: Iterable[str]) -> str:
    """What to say instead of `word`: the nearest known word, then all of them."""
    names = sorted(known)
    meant = nearest(word, names)
    listing = f"known are {', '.join(names)}"
    return f"did you mean {meant}? {listing}" if meant else listing
