"""A real git repository on disk, driven by the git program, for tests of adapters."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path


class ScratchRepository:
    """A user's repository in a folder that must not exist yet; its branch is `main`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Owner")
        self.git("config", "user.email", "owner@example.org")

    def git(self, *argv: str) -> str:
        """What git printed, without its last line end. Raises CalledProcessError."""
        clean = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
        said = subprocess.run(
            ["git", "-C", str(self.path), *argv],
            env={**os.environ, **clean},
            check=True,
            capture_output=True,
            text=True,
        )
        return said.stdout.rstrip("\n")

    def commit(self, files: Mapping[str, str | None], title: str = "work") -> str:
        """Commit these files (None removes one) and give the commit's id."""
        for name, text in files.items():
            file = self.path / name
            if text is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        self.git("add", "-A", "-f")
        self.git("commit", "-q", "--allow-empty", "-m", title)
        return self.git("rev-parse", "HEAD")
