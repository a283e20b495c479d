"""Write the reference pages under `docs/` from the code, or compare them with it.

    python tools/generate_docs.py            write every page
    python tools/generate_docs.py --check    change nothing; exit 1 and show the difference if stale

Errors, events, reasons and settings are each defined in one place, with their sentence beside
them. These pages are only another view of that place. A definition without its sentence ends the
program: a page with a gap would be worse than none.

A page whose module does not exist yet is left out and named; once the module exists, so must the
page.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import importlib.util
import inspect
import pkgutil
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import member_notes
import settings_table
import swarm
from swarm.contract.errors import SwarmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
MADE = "<!-- Made by tools/generate_docs.py from {source}; change that, then run it again. -->\n"

#: The rooms by their range of error codes, in the order of the page.
ROOMS = {
    "SWM0": "The roots",
    "SWM1": "The contract: what people write",
    "SWM2": "The core: what is decided",
    "SWM3": "Postgres: what is remembered",
    "SWM4": "This machine: git, agents, checks, services",
    "SWM5": "Feeds: what is read over HTTP",
    "SWM6": "The runtime: what keeps it going",
    "SWM7": "The command line",
    "SWM8": "The regime runtime: what the market does",
}


def every_module() -> Iterator[ModuleType]:
    """Every module of the package, imported, in the order of their names."""
    yield swarm
    for found in pkgutil.walk_packages(swarm.__path__, prefix="swarm."):
        yield importlib.import_module(found.name)


def every_error() -> list[type[SwarmError]]:
    """Every error class of the package, the roots first, ordered by code and name."""
    for _ in every_module():
        pass
    found: set[type[SwarmError]] = {SwarmError}
    waiting = [SwarmError]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            home = sys.modules.get(kind.__module__)
            # A test may derive its own; only what a module of ours holds is the product's.
            ours = kind.__module__.startswith("swarm.") and kind is getattr(
                home, kind.__name__, None
            )
            if kind not in found and ours:
                found.add(kind)
                waiting.append(kind)
    return sorted(found, key=lambda kind: (kind.code, kind.__name__))


def errors_page() -> str:
    """One section for each error: what happened, what to do, how the command ends."""
    lines = [
        MADE.format(source="every subclass of `SwarmError`"),
        "# Errors",
        "",
        "Each error has a code that never changes its meaning. `swarmctl explain CODE` prints the",
        "same text. The exit code is what `swarmctl` ends with when the error ends a command.",
    ]
    room = ""
    for kind in every_error():
        title = next((name for prefix, name in ROOMS.items() if kind.code.startswith(prefix)), "")
        if title != room:
            room = title
            lines += ["", f"## {title}"]
        lines += ["", f"### {kind.code}", "", f"`{kind.__name__}` (exit code {kind.exit_code})."]
        lines += [text_of(kind), "", f"**Fix:** {kind.remedy}"]
    return "\n".join(lines) + "\n"


def text_of(thing: type) -> str:
    """The docstring of a class; ends the program where there is none of its own."""
    text = thing.__dict__.get("__doc__")
    if not text:
        sys.exit(
            f"{thing.__module__}.{thing.__name__} has no docstring; its page would have a gap."
        )
    return inspect.cleandoc(text)


def enum_page(title: str, intro: str, **names: str) -> str:
    """A table of the members of each enum with the sentence beside each; one heading for each."""
    sources = " and ".join(f"`{name}`" for name in names.values())
    lines = [MADE.format(source=sources), f"# {title}", "", *intro.splitlines()]
    for heading, name in names.items():
        module_name, _, class_name = name.rpartition(".")
        kind: type[Enum] = getattr(importlib.import_module(module_name), class_name)
        if len(names) > 1:
            lines += ["", f"## {heading.replace('_', ' ')}"]
        lines += ["", "| name | meaning |", "| --- | --- |"]
        notes = member_notes.read(kind)
        lines += [f"| `{member.value}` | {notes[member.name]} |" for member in kind]
    return "\n".join(lines) + "\n"


def events_page() -> str:
    """Every event that this program writes to its log."""
    intro = (
        "Every log line is one of these events; what it is about stands in its fields.\n"
        "The list is closed: a line that is not here cannot be written."
    )
    return enum_page("Events", intro, Events="swarm.runtime.events.Event")


def reasons_page() -> str:
    """Every reason that a gate, a loop step or a port may give."""
    intro = (
        "Everything that waits, is held, is refused or goes on says why with one of these words.\n"
        "They stand in verdicts, in conditions and in the output of `swarmctl why`."
    )
    return enum_page(
        "Reasons",
        intro,
        Of_the_loop_the_gates_and_the_policies="swarm.core.reasons.Reason",
        Of_a_canary="swarm.core.rollout.judgement.CanaryReason",
    )


def settings_page() -> str:
    """Every setting of an installation, with type, default and meaning."""
    module = importlib.import_module("swarm.runtime.settings")
    head = [MADE.format(source="`swarm.runtime.settings`"), "# Settings", ""]
    return "\n".join(head + settings_table.lines(module)) + "\n"


@dataclass(frozen=True, kw_only=True)
class Page:
    """One generated page: where it goes, the module it views, and what writes it."""

    name: str
    module: str
    text: Callable[[], str]


PAGES = (
    Page(name="ERRORS.md", module="swarm.contract.errors", text=errors_page),
    Page(name="EVENTS.md", module="swarm.runtime.events", text=events_page),
    Page(name="REASONS.md", module="swarm.core.reasons", text=reasons_page),
    Page(name="SETTINGS.md", module="swarm.runtime.settings", text=settings_page),
)


def stale() -> Iterator[tuple[Path, str]]:
    """Each page that differs from the code, with the text it should have."""
    for page in PAGES:
        if importlib.util.find_spec(page.module) is None:
            print(f"docs/{page.name} is left out: {page.module} does not exist.", file=sys.stderr)
            continue
        path, text = DOCS / page.name, page.text()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            yield path, text


def main() -> int:
    """Write the pages, or with `--check` only compare; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/ from the code, or compare them.")
    parser.add_argument("--check", action="store_true", help="change nothing, fail if stale")
    check = parser.parse_args().check
    faults = 0
    for path, text in stale():
        name = path.relative_to(ROOT)
        if not check:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
            continue
        faults += 1
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        parts = (old.splitlines(), text.splitlines())
        print("\n".join(difflib.unified_diff(*parts, f"{name} as it is", "as the code says", n=1)))
        print(f"{name} is stale; run `python tools/generate_docs.py` and commit it.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
