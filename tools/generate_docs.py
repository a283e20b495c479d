"""Write the reference pages under `docs/` from the code, or compare them with it.

    python tools/generate_docs.py            write every page
    python tools/generate_docs.py --check    change nothing; exit 1 and show the difference if stale

Errors, events, reasons and settings are each defined in one place, with their sentence beside
them. These pages are only another view of that place. A definition without its sentence ends the
program: a page with a gap would be worse than none.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import settings_table
from swarm.cli.explain import every_error, meaning
from swarm.cli.sentences import sentences
from swarm.runtime.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from enum import StrEnum

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
        if (title := ROOMS[kind.code[:4]]) != room:
            room = title
            lines += ["", f"## {title}"]
        lines += ["", f"### {kind.code}", "", f"`{kind.__name__}` (exit code {kind.exit_code})."]
        lines += [meaning(kind), "", f"**Fix:** {kind.remedy}"]
    return "\n".join(lines) + "\n"


def enum_page(title: str, intro: str, **names: str) -> str:
    """A table of the members of each enum with the sentence beside each; one heading for each."""
    sources = " and ".join(f"`{name}`" for name in names.values())
    lines = [MADE.format(source=sources), f"# {title}", "", *intro.splitlines()]
    for heading, name in names.items():
        module_name, _, class_name = name.rpartition(".")
        if len(names) > 1:
            lines += ["", f"## {heading.replace('_', ' ')}"]
        lines += ["", "| name | meaning |", "| --- | --- |"]
        lines += rows(getattr(importlib.import_module(module_name), class_name))
    return "\n".join(lines) + "\n"


def rows(kind: type[StrEnum]) -> Iterator[str]:
    """One row for each member of an enum; a member without a sentence ends the program."""
    told = sentences(kind)
    for member in kind:
        if not told.get(member):
            sys.exit(f"{kind.__module__}.{member} has no `#:` sentence beside it.")
        yield f"| `{member}` | {told[member]} |"


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
    head = [MADE.format(source=f"`{Settings.__module__}`"), "# Settings", ""]
    return "\n".join([*head, *settings_table.lines(Settings)]) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "ERRORS.md": errors_page,
    "EVENTS.md": events_page,
    "REASONS.md": reasons_page,
    "SETTINGS.md": settings_page,
}


def stale() -> Iterator[tuple[Path, str]]:
    """Each page that differs from the code, with the text it should have."""
    for name, made in PAGES.items():
        path, text = DOCS / name, made()
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
