"""Reading the numbered SQL files of a release.

A file is `0007_expand_freezes_by_class.sql`: an expand step adds, and old code still works; a
contract step removes, and says in a header line `-- Needs: 0005` the oldest migration that a
running release must know (without that line: itself). So an older program can tell whether a newer
database still serves it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from .errors import MigrationMisnamed

FOLDER = Path(__file__).parent / "migrations"

_FILE_NAME = re.compile(r"(\d{4})_(expand|contract)_[a-z0-9_]+\.sql")
_NEEDS = re.compile(r"^-- Needs: (\d{4})\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    version: int
    name: str
    needs: int  #: 0 for expand
    text: bytes
    sha256: bytes


def read_migrations(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """The files of `folder` in order. Raises MigrationMisnamed on a gap, a twin or a bad name."""
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        name = _FILE_NAME.fullmatch(path.name)
        text = path.read_bytes()
        if name is None:
            raise MigrationMisnamed(
                f"{path.name}: not NNNN_expand_what.sql or NNNN_contract_what.sql"
            )
        if not text.startswith(f"-- {name[1]} {name[2]}: ".encode()):
            raise MigrationMisnamed(
                f"{path.name}: the first line is not `-- {name[1]} {name[2]}: ...`"
            )
        version = int(name[1])
        if version != len(found) + 1:
            raise MigrationMisnamed(f"{path.name}: number {len(found) + 1:04} is next")
        said = _NEEDS.search(text.decode())
        needs = 0 if name[2] == "expand" else int(said[1]) if said else version
        found.append(Migration(version, path.stem, needs, text, hashlib.sha256(text).digest()))
    return tuple(found)
