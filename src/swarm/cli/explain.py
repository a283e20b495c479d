"""`swarmctl explain`: a spec field, an error code, or where each value of a manifest comes from."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from typing import Annotated

from cyclopts import Parameter

from swarm.cli.errors import NoSuchCode, Usage
from swarm.cli.manifest import read_swarms
from swarm.cli.options import Output
from swarm.cli.output import Column, Form, emit, show, show_one
from swarm.cli.sentences import words
from swarm.contract.errors import SwarmError

#: Fields of the object itself, which are named without a dot.
_TOP = ("apiVersion", "kind", "metadata", "spec", "status")
_COLUMNS = (
    Column(title="FIELD", field="name"),
    Column(title="VALUE", field="value"),
    Column(title="FROM", field="origin"),
)


def explain(
    what: Annotated[
        str, Parameter(help="A field such as spec.cadence, an error code, or a reason.")
    ] = "",
    /,
    *,
    file: Annotated[
        str,
        Parameter(
            name=["--file", "-f"],
            help="Print the defaulted manifest instead; - is standard input.",
            allow_leading_hyphen=True,
        ),
    ] = "",
    output: Output = Form.TABLE,
) -> None:
    """Explain a field (`spec.cadence`), a code (`SWM301`), a word (`RetriesSpent`), or a manifest.

    With -f it prints every field of the defaulted object and where its value comes from:
    written in the file, taken from a profile, or a default. Reads no database.

    Exit status: 0 explained; 1 the manifest is refused; 2 wrong use; 5 unknown.

    Example: swarmctl explain spec.delivery.rollout.steps
    """
    if file:
        _manifest(file, output)
    elif what.upper().startswith("SWM"):
        _code(what.upper(), output)
    elif what and "." not in what and what not in _TOP:
        _word(what, output)
    elif what:
        _field(what, output)
    else:
        raise Usage("give a field, a code, or -f FILE")


def _manifest(file: str, output: Form) -> None:
    from swarm.contract.defaults import explained  # noqa: PLC0415 - pays for pydantic only here

    for swarm in read_swarms(file):
        rows = [
            {"name": path, "value": value, "origin": str(origin)}
            for path, value, origin in explained(swarm)
        ]
        show(rows, _COLUMNS, output, kind="Field")


def _field(path: str, output: Form) -> None:
    from swarm.contract.defaults import field_help  # noqa: PLC0415 - pays for pydantic only here

    found = field_help(path)
    if not output.for_people:
        names = found.__dataclass_fields__
        body = {"name": path, **{name: getattr(found, name) for name in names}}
        show_one("Field", body, output)
        return
    emit(f"{path}  <{found.type}>")
    emit(f"  {found.description}")
    for title, value in (("default", found.default), ("example", found.example)):
        if value is not None:
            emit(f"  {title}: {value}")
    if found.choices:
        emit(f"  one of: {', '.join(found.choices)}")
    for bound in found.bounds:
        emit(f"  {bound}")
    for child in found.children:
        emit(f"  .{child}" if isinstance(child, str) else "  ." + "  ".join(map(str, child)))


def _word(word: str, output: Form) -> None:
    known = list(words())
    found = [one for one in known if one[0].lower() == word.lower()]
    if not found:
        names = [one[0] for one in known]
        near = difflib.get_close_matches(word, names, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise NoSuchCode(f"there is no field, code or reason {word[:60]!r}{meant}")
    if not output.for_people:
        rows = [{"name": name, "is": kind, "means": text} for name, kind, text in found]
        show(rows, (), output, kind="Word")
        return
    for name, kind, text in found:
        emit(f"{name}  <{kind}>")
        emit(f"  {text}")


def _code(code: str, output: Form) -> None:
    for kind in every_error():
        if kind.code == code:
            about = {
                "code": code,
                "name": kind.__name__,
                "means": meaning(kind),
                "fix": kind.remedy,
                "exitCode": kind.exit_code,
            }
            if not output.for_people:
                show_one("ErrorCode", about, output)
                return
            emit(f"{code} {kind.__name__} (exit {kind.exit_code})")
            emit(f"means: {about['means']}")
            emit(f"fix:   {kind.remedy}")
            return
    raise NoSuchCode(f"no error has the code {code}")


def meaning(kind: type[SwarmError]) -> str:
    """What an error says happened: the first line of its docstring."""
    return (kind.__doc__ or "").strip().splitlines()[0]


def every_error() -> list[type[SwarmError]]:
    """Every error that this program can end with, in the order of their codes."""
    import swarm  # noqa: PLC0415 - the walk needs the package itself

    found: set[type[SwarmError]] = set()
    for module in pkgutil.walk_packages(swarm.__path__, prefix="swarm."):
        if module.name.endswith(".errors"):
            held = vars(importlib.import_module(module.name)).values()
            found |= {it for it in held if isinstance(it, type) and issubclass(it, SwarmError)}
    return sorted(found, key=lambda kind: kind.code)
