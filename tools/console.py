"""Run the commands that our pages show, and compare what they print with what the page says.

A fenced block that begins with ```` ```console run ```` is executed; one that begins with
```` ```console shown ```` is not, because it needs what a test has not (a person, a repository of
your own, minutes of time). Every console block says which.

    ```console run
    $ swarmctl version --output name
    swarmctl ...
    $ swarmctl validate -f missing.yaml     # exit 5
    ...
    ```

`$ ` begins a command, `> ` continues it. The lines below it are what it prints, stdout and stderr
together; `...` stands for any text, and on a line of its own for any number of lines. No lines at
all: anything may be printed. A command must end with exit code 0 unless it ends in `# exit N`.
All commands of a block run in one shell, in a new empty folder that is also their home.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```console([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"\s+# exit (\d+)$")
SECONDS = 300  #: for a block that compiles every kernel on a machine with other work


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command of a block with what the page says it prints and ends with."""

    text: str
    prints: tuple[str, ...]
    exit_code: int


@dataclass(frozen=True, kw_only=True)
class Block:
    """One console block of a page: where it begins, its options, its commands."""

    line: int
    options: frozenset[str]
    commands: tuple[Command, ...]


def blocks(page: str) -> list[Block]:
    """The console blocks of a page, in order."""
    return [
        Block(
            line=page.count("\n", 0, match.start()) + 1,
            options=frozenset(match[1].split()),
            commands=tuple(commands(match[2])),
        )
        for match in FENCE.finditer(page)
    ]


def commands(body: str) -> list[Command]:
    """The commands of a block, each with the lines below it."""
    found: list[Command] = []
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        lines = part.rstrip("\n").split("\n")
        text = [lines.pop(0)]
        while lines and lines[0].startswith("> "):
            text.append(lines.pop(0)[2:])
        joined = "\n".join(text)
        wanted = EXIT.search(joined)
        code = int(wanted[1]) if wanted else 0
        found.append(Command(text=EXIT.sub("", joined), prints=tuple(lines), exit_code=code))
    return found


def run(block: Block, folder: Path) -> list[str]:
    """Execute a block in an empty folder; returns what differs from the page, empty if nothing."""
    home, notes = folder / "home", folder / "notes"
    home.mkdir()
    notes.mkdir()
    script = []
    for number, command in enumerate(block.commands):
        # Braces and not brackets: a `cd` or an `export` holds for the commands that follow.
        note = notes / str(number)
        script.append(f"{{ {command.text}\n}} >{note}.out 2>&1; echo $? >{note}.code")
    subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=home,
        env=surroundings(home),
        check=False,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )
    return [
        fault
        for number, command in enumerate(block.commands)
        for fault in differences(command, notes / f"{number}.out", notes / f"{number}.code")
    ]


def surroundings(home: Path) -> dict[str, str]:
    """The environment of a block: this Python's programs first, an empty home, no colours."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    kept = {key: os.environ[key] for key in ("LANG", "LC_ALL", "TMPDIR") if key in os.environ}
    return kept | {"PATH": path, "HOME": str(home), "NO_COLOR": "1", "COLUMNS": "100"}


def differences(command: Command, out: Path, code: Path) -> list[str]:
    """How one command's output and exit code differ from the page."""
    shown = f"$ {command.text}"
    if not code.exists():
        return [f"{shown}\n  was never reached, or ended the shell"]
    printed = out.read_text(encoding="utf-8", errors="replace").rstrip("\n")
    ended = int(code.read_text(encoding="utf-8"))
    if ended != command.exit_code:
        return [f"{shown}\n  ended with {ended}, not {command.exit_code}; it printed:\n{printed}"]
    if command.prints and not re.fullmatch(pattern(command.prints), printed + "\n"):
        wanted = "\n".join(command.prints)
        return [f"{shown}\n  printed:\n{printed}\n  the page says:\n{wanted}"]
    return []


def pattern(lines: tuple[str, ...]) -> str:
    """A regular expression for the lines that a page shows, each with its newline."""
    parts = []
    for line in lines:
        if line.strip() == "...":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append(r"[^\n]*?".join(map(re.escape, line.rstrip().split("..."))) + r"[ ]*\n")
    return "".join(parts)
