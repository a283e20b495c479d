"""Where an installation lives: its two files, and the folder of everything it keeps."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

FILE, MANIFEST, STATE = "swarm.toml", "swarm.yaml", ".swarm"


@dataclass(frozen=True, slots=True)
class Home:
    """One installation: `swarm.toml` and `swarm.yaml` in a folder, state in `.swarm` below it."""

    folder: Path

    @property
    def file(self) -> Path:
        """The installation file."""
        return self.folder / FILE

    @property
    def manifest(self) -> Path:
        """The manifest that `up` applies."""
        return self.folder / MANIFEST

    @property
    def state(self) -> Path:
        """Everything that is kept: database, clones, jobs, logs. Safe to delete when stopped."""
        return self.folder / STATE

    @property
    def database(self) -> Path:
        """The embedded server's data folder."""
        return self.state / "database"

    @property
    def clones(self) -> Path:
        """The private clones."""
        return self.state / "clones"

    @property
    def jobs(self) -> Path:
        """Agent runs and checks."""
        return self.state / "jobs"

    @property
    def services(self) -> Path:
        """Local service targets."""
        return self.state / "services"

    @property
    def seals(self) -> Path:
        """The key that seals are signed with, and the seals as they were published."""
        return self.state / "seals"

    @property
    def trading(self) -> Path:
        """Kills, the order path's door, and what the monitor reads."""
        return self.state / "trading"

    @property
    def logs(self) -> Path:
        """Logs of the controller, and the owner channel."""
        return self.state / "logs"

    @property
    def note(self) -> Path:
        """What the running controller says of itself: process, DSN, since when."""
        return self.state / "controller.json"

    @property
    def starting(self) -> Path:
        """The pid of a controller that `up` waits for: it works not yet, and can be stopped."""
        return self.state / "controller.starting"

    def make(self) -> None:
        """Make the state folder, private, and invisible to a repository around it."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = self.state / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        for folder in (self.clones, self.jobs, self.services, self.trading, self.logs):
            folder.mkdir(mode=0o700, exist_ok=True)
        # Git goes into no folder that is ignored as a whole, but linters read these files up to
        # the repository around us: without this one, a check finds no file and calls that green.
        (self.jobs / ".gitignore").write_text("!*\n", encoding="utf-8")

    def read_note(self) -> dict[str, object]:
        """What the controller wrote; empty when none runs or it died in the middle of it."""
        try:
            found = json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write_note(self, note: dict[str, object]) -> None:
        """Replace the note in one step."""
        fresh = self.note.with_suffix(".new")
        fresh.write_text(json.dumps(note), encoding="utf-8")
        fresh.chmod(0o600)
        fresh.replace(self.note)


def find(start: Path | None = None) -> Home | None:
    """The installation of a folder: the nearest one at or above it; None if there is none.

    SWARM_HOME in the environment wins. Where a controller works, there is one, though its file is
    gone: git puts away or removes what nobody committed.
    """
    named = os.environ.get("SWARM_HOME")
    if named:
        return Home(Path(named).resolve())
    folder = (start or Path.cwd()).resolve()
    for candidate in (folder, *folder.parents):
        home = Home(candidate)
        if home.file.is_file() or home.note.is_file():
            return home
    return None
