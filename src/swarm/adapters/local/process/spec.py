"""The shapes of a supervised command: what to run, within which limits, and how it ended.

They are written as JSON beside the job, so every shape has `to_json` and `from_json`; a field
may be added with a default, never removed, because an upgrade adopts the jobs of its predecessor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

MIB = 1024 * 1024
GIB = 1024 * MIB


class Ended(StrEnum):
    """How a supervised command ended. Exactly one cause, the first that was seen."""

    EXITED = "exited"  #: by itself, with an exit code
    SIGNALLED = "signalled"  #: by a signal that the supervisor did not send
    TIMED_OUT = "timed-out"  #: its wall time was over
    STOPPED = "stopped"  #: we asked for it, or the machine went down; nobody's failure
    OUTPUT_LIMIT = "output-limit"  #: it printed more than it may
    PROCESS_LIMIT = "process-limit"  #: it ran more processes at a time than it may
    DISK_LIMIT = "disk-limit"  #: it wrote more than it may
    DISK_LOW = "disk-low"  #: the disk ran full and it was not the cause
    NOT_STARTED = "not-started"  #: the command could not be executed at all


class Confine(StrEnum):
    """How a command is kept inside its own folders (Landlock, Linux 5.13 and newer)."""

    AUTO = "auto"  #: wherever the kernel can
    REQUIRE = "require"  #: or do not start it
    OFF = "off"  #: never


class Network(StrEnum):
    """What a command reaches over the network."""

    HOST = "host"  #: what this machine reaches
    NONE = "none"  #: a loopback of its own and nothing else (Linux)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one job may use. Bytes and counts; the grace lies between SIGTERM and SIGKILL.

    keep_output:   bytes kept of each stream: the first third and the last two thirds.
    output_bytes:  bytes printed on both streams together before the job is ended.
    file_bytes:    largest single file (RLIMIT_FSIZE).
    processes:     processes alive at a time in the whole tree.
    address_space: RLIMIT_AS of each process; None leaves it alone.
    disk_bytes:    bytes below its folders before the job is ended.
    free_bytes:    the disk is called full below this.
    nice:         added to the niceness, so that the machine stays usable, and so that a fork bomb
                   leaves its supervisor the time to end it: without root that took 14 s at 5.
    """

    keep_output: int = MIB
    output_bytes: int = 64 * MIB
    file_bytes: int = GIB
    processes: int = 256
    address_space: int | None = None
    disk_bytes: int = 4 * GIB
    free_bytes: int = 256 * MIB
    nice: int = 10
    grace: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """One command. `env` is its complete environment but HOME, TMPDIR and the job's mark.

    argv:     the command, never a shell line; argv[0] is looked up on env["PATH"].
    cwd:      where it runs.
    tree:     what it owns: it may read and write there, in its HOME and in its TMPDIR; None is
              the folder it runs in.
    wall:     longest time between start and end.
    stdin:    file that it reads as standard input; None is /dev/null.
    writable: further folders it may write to, where it is confined.
    hidden:   files and folders it may not read, where it is confined.
    notes:    lines of its standard output that hold this are also kept whole in the file `notes`,
              as they come: of all else only the first third is on disk before it ends.
    """

    argv: tuple[str, ...]
    cwd: Path
    tree: Path | None = None
    wall: timedelta
    env: Mapping[str, str]
    stdin: Path | None = None
    limits: Limits = field(default_factory=Limits)
    confine: Confine = Confine.AUTO
    network: Network = Network.HOST
    writable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    notes: str = ""

    def to_json(self) -> dict[str, Any]:
        """What the supervisor reads; spans in seconds, paths as text."""
        limits = asdict(self.limits)
        limits["grace"] = self.limits.grace.total_seconds()
        return {
            "schema": 1,
            "argv": list(self.argv),
            "cwd": str(self.cwd),
            "tree": str(self.tree or self.cwd),
            "wall": self.wall.total_seconds(),
            "env": dict(self.env),
            "stdin": str(self.stdin) if self.stdin else None,
            "limits": limits,
            "confine": str(self.confine),
            "network": str(self.network),
            "writable": [str(path) for path in self.writable],
            "hidden": [str(path) for path in self.hidden],
            "notes": self.notes,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """How a job ended, as its supervisor saw it.

    exit_code:  set when it ended by itself; signal: set when a signal ended it.
    seconds:    wall time; cpu_seconds and max_rss (KiB) are of the whole tree.
    printed:    bytes it printed on both streams; more than was kept means a cut in the middle.
    leftover:   processes that were still alive when the command ended, all killed.
    confined:   what kept it inside its folders ("landlock-7"), empty when nothing did.
    network:    "none" when it was cut off from every network, else "host".
    detail:     why it was not started, or which limit it broke.
    """

    ended: Ended
    exit_code: int | None = None
    signal: int | None = None
    started_at: datetime
    ended_at: datetime
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    max_rss: int = 0
    printed: int = 0
    leftover: int = 0
    confined: str = ""
    network: str = "host"
    detail: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> JobResult:
        """Read what the supervisor wrote; unknown fields of a newer supervisor are ignored."""
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        known["ended"] = Ended(known["ended"])
        for name in ("started_at", "ended_at"):
            known[name] = datetime.fromisoformat(known[name])
        return cls(**known)


class Phase(StrEnum):
    """Where a job stands."""

    ABSENT = "absent"  #: never started, or its start was never completed
    STARTING = "starting"  #: another controller is starting it at this moment
    NO_SLOT = "no-slot"  #: as many jobs run as this folder allows
    RUNNING = "running"  #: its supervisor is alive
    FINISHED = "finished"  #: it has a result
    VANISHED = "vanished"  #: its supervisor died without one (kill -9, power cut)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """Where a job stands. Each start is a generation of its own, in a folder of its own.

    vanished: generations that were started and vanished so far, this one included.
    """

    phase: Phase
    generation: int = 0
    folder: Path | None = None
    result: JobResult | None = None
    vanished: int = 0
