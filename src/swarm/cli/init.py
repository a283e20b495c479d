"""`swarmctl init`: write the first two files for a repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from swarm.cli.output import emit, say


def init(
    folder: Annotated[Path, Parameter(help="A folder inside the repository.")] = Path(),
    *,
    force: Annotated[
        bool, Parameter(help="Overwrite existing files, and go on with the state that is there.")
    ] = False,
) -> None:
    """Look at this repository and write swarm.toml and swarm.yaml. Starts nothing.

    What is found (checks, linters, agents) is written down for you to read; agents that cost
    money are left out until you ask for them. Your remote is never used.

    Exit status: 0 written; 5 no repository here; 7 a file already exists.

    Example: cd my-repository && swarmctl init && swarmctl up
    """
    from swarm.runtime import detect, first_files  # noqa: PLC0415 - only this verb needs them
    from swarm.runtime.errors import FileExists  # noqa: PLC0415
    from swarm.runtime.home import Home  # noqa: PLC0415

    found = detect.look(folder.resolve())
    home = Home(found.folder)
    _refuse_state(home.state, force=force)
    for path in (home.file, home.manifest):
        # What a repository holds may be a link to anywhere: it is replaced, and never followed.
        is_link = path.is_symlink()
        if (is_link or path.exists()) and not force:
            raise FileExists(f"{path} is there already")
        if is_link:
            path.unlink()
    home.file.write_text(first_files.installation(found), encoding="utf-8")
    home.manifest.write_text(first_files.manifest(found), encoding="utf-8")
    emit(f"wrote {home.file}")
    emit(f"wrote {home.manifest}")
    for check in found.checks:
        say(f"  check   {check.name}: {' '.join(check.run)}  (from {check.found_in})")
    for agent in found.agents:
        say(f"  agent   {agent} is on your PATH; it is written down, and off")
    for note in found.notes:
        say(f"  note    {note}")
    say("next: read both files, then `swarmctl up`")


def _refuse_state(state: Path, *, force: bool) -> None:
    """State that is there before the first files is somebody else's, unless one says so."""
    from swarm.runtime.errors import FileExists  # noqa: PLC0415

    if state.is_symlink():
        away = "Move the link away; once `init` is done, one of yours may take its place."
        raise FileExists(f"{state} is a link, and may lead anywhere", remedy=away)
    if state.exists() and not force:
        away = "It holds the state of an installation. If it is yours, add --force; else move it."
        raise FileExists(f"{state} is there already", remedy=away)
