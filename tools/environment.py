"""The virtual environment of this repository, made with the standard library alone.

`prepare(level)` is all that `dev.py` needs: it leaves an environment that holds the hash-locked
packages of that level and this package itself, installed in place. What stands in the environment
is written down beside it (`.venv/.dev/`), so that a second call costs only the reading of a few
files. Two calls at once take turns. A call that was killed is noticed by the next one, which makes
the environment anew rather than trust what is half there.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import selectors
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent

#: What each level of environment is installed from; a later level holds all of an earlier one.
LEVELS = {
    "run": ("requirements.lock", "requirements-build.lock"),
    "dev": ("requirements-dev.lock",),
    "bench": ("requirements-bench.lock",),
}
SECONDS_OF_SILENCE = 5
ALL_LOCKS = tuple(name for names in LEVELS.values() for name in names)


class Trouble(Exception):
    """Something the person at the keyboard must mend; `hint` says how."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def say(text: str = "") -> None:
    """One line of our own talk."""
    print(text, file=sys.stderr, flush=True)


def require_machine() -> None:
    """Refuse a machine without git or with too old a Python; name a better one if it is here."""
    if os.name != "posix":
        raise Trouble("this runs on Linux and macOS.", "on Windows, run it inside WSL.")
    if shutil.which("git") is None:
        raise Trouble(
            "git is needed and not on PATH.", "on Debian or Ubuntu: `apt-get install git`."
        )
    if sys.version_info >= (3, 11):  # noqa: UP036 -- this is the check that tells an older one
        return
    found = [f"python3.{n}" for n in (13, 12, 11) if shutil.which(f"python3.{n}")]
    hint = f"run `{found[0]} dev.py ...`; it is here." if found else "install Python 3.11 or newer."
    raise Trouble(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.", hint)


def venv_version(folder: Path) -> str | None:
    """The `major.minor` that a virtual environment was made with; None if it is none."""
    with contextlib.suppress(OSError):
        for line in (folder / "pyvenv.cfg").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition("=")
            if key.strip() in {"version", "version_info"}:
                return ".".join(value.strip().split(".")[:2])
    return None


def venv_folder() -> Path:
    """Where the environment of this interpreter is: `.venv`, or `.venv-3.12` beside another's."""
    chosen = os.environ.get("SWARM_DEV_VENV")
    if chosen:
        return ROOT / chosen
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    there = venv_version(ROOT / ".venv")
    return ROOT / (".venv" if there in {None, ours} else f".venv-{ours}")


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the right to change the environment; a second run waits here and says so."""
    import fcntl  # noqa: PLC0415 -- absent on Windows, where require_machine has the better message

    # This file itself is the lock: it is always there and never replaced by an installation.
    with Path(__file__).open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("dev.py: another run is preparing the environment; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        # Children keep the lock too: if we are killed, pip may still be writing, and the next
        # run must not clear the folder away under it.
        os.set_inheritable(handle.fileno(), True)
        yield


def digest(*parts: bytes) -> str:
    """A short fingerprint of the given bytes."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


def locks_stamp() -> str:
    """Fingerprint of all locks: they are solved together, so they are current together."""
    try:
        return digest(*((ROOT / name).read_bytes() for name in ALL_LOCKS))
    except OSError as error:
        raise Trouble(
            f"a lock file cannot be read: {error}", "restore it: `git checkout -- .`"
        ) from error


def project_stamp() -> str:
    """Fingerprint of what the package's own installation depends on: metadata and place."""
    import tomllib  # noqa: PLC0415 -- new in 3.11; an older Python must reach its message first

    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    parts = [config.get("project"), config.get("build-system"), config.get("tool", {}).get("hatch")]
    return digest(json.dumps(parts, sort_keys=True).encode(), str(ROOT).encode())


def prepare(level: str) -> Path:
    """Make the environment hold at least `level`; returns its folder. Cheap the second time."""
    folder = venv_folder()
    state = folder / ".dev"
    with one_at_a_time():
        locks, project = locks_stamp(), project_stamp()
        if (state / "busy").exists():
            discard_half_made(folder)
        have_level, have_locks = [*read(state / "locks").split(), "", ""][:2]
        order = list(LEVELS)
        enough = have_level in order and order.index(have_level) >= order.index(level)
        python_works = (folder / "bin" / "python").exists()
        if python_works and enough and have_locks == locks and read(state / "project") == project:
            return folder
        if not python_works:
            make_venv(folder)
        state.mkdir(exist_ok=True)
        with marked_busy(state):
            if not (enough and have_locks == locks and python_works):
                install_locked(folder, level)
                (state / "locks").write_text(f"{level} {locks}\n", encoding="utf-8")
            install_project(folder)
            (state / "project").write_text(project + "\n", encoding="utf-8")
    return folder


@contextlib.contextmanager
def marked_busy(state: Path) -> Iterator[None]:
    """Leave a mark that outlives a kill, but neither success nor an error that pip itself told."""
    busy = state / "busy"
    busy.write_text("an installation is under way\n", encoding="utf-8")
    try:
        yield
    except Trouble:
        busy.unlink()
        raise
    busy.unlink()


def read(path: Path) -> str:
    """The text of a small file without its newline; empty if it is not there."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def discard_half_made(folder: Path) -> None:
    """Clear away an environment whose installation was interrupted: no one knows what is in it."""
    if not (folder / ".dev" / "ours").exists():
        hint = f"remove the folder {folder.name} and run this again."
        raise Trouble(f"an installation into {folder.name} was interrupted.", hint)
    say(f"dev.py: the last installation into {folder.name} was interrupted; making it anew")
    shutil.rmtree(folder)


def make_venv(folder: Path) -> None:
    """Make the virtual environment, or say what this machine lacks for it."""
    ours = folder / ".dev" / "ours"
    there = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if there:
        if not (ours.exists() or there == {".dev"}):
            hint = f"move {folder} away, or name another folder in SWARM_DEV_VENV."
            raise Trouble(f"{folder.name} holds no working Python and is not dev.py's own.", hint)
        shutil.rmtree(folder)
    began = time.monotonic()
    ours.parent.mkdir(parents=True)
    # Both marks first, and whose it is before anything else: if we die in the middle, the next
    # run knows that it may clear this away.
    for mark in (ours, ours.parent / "busy"):
        mark.write_text("made by dev.py\n", encoding="utf-8")
    bare = [] if brings_pip() else ["--without-pip"]
    command = [sys.executable, "-m", "venv", *bare, str(folder)]
    with child(command, stdout=subprocess.PIPE) as process:
        talk, _ = process.communicate()
    if process.returncode != 0:
        hint = f"install all of Python {sys.version_info.major}.{sys.version_info.minor}."
        raise Trouble(f"no virtual environment could be made:\n{talk}".rstrip(), hint)
    took = f"{time.monotonic() - began:.1f} s"
    say(f"dev.py: made {folder.name} with Python {sys.version.split()[0]} ({took})")


def brings_pip() -> bool:
    """Whether this Python has a pip to put into environments; Debian packs it apart."""
    return importlib.util.find_spec("ensurepip") is not None


def add_pip(folder: Path) -> None:
    """Put pip into an environment: the one that Python brings, else the one that lies beside us."""
    python = str(folder / "bin" / "python")
    if brings_pip():
        run([python, "-m", "ensurepip", "--default-pip"])
        return
    say("dev.py: this Python brings no pip; taking the one in tools/")
    wheel = next((ROOT / "tools").glob("pip-*.whl"), None)
    if wheel is None:
        raise Trouble("the wheel of pip is not in tools/.", "restore it: `git checkout -- .`")
    # A wheel of pip runs without being installed.
    run([python, f"{wheel}/pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel)])


def install_locked(folder: Path, level: str) -> None:
    """Install the locks of `level`; pip refuses any file whose hash the lock does not name."""
    files = LEVELS[level]
    expected = sum((ROOT / name).read_text(encoding="utf-8").count("==") for name in files)
    # Compiling all of it takes 14 s of 37; what is really imported compiles itself once.
    arguments = ["install", "--require-hashes", "--no-deps", "--no-compile"]
    for name in files:
        arguments += ["-r", name]
    if not any(folder.glob("lib/python*/site-packages/pip")):
        add_pip(folder)
    pip(folder, arguments, f"installing about {expected} locked packages", expected)


def install_project(folder: Path) -> None:
    """Install this package itself in place, with the locked build backend and no look outside."""
    arguments = ["install", "--no-deps", "--no-build-isolation", "--no-index", "--editable", "."]
    pip(folder, arguments, "installing swarmctl in place", 1)


def pip(folder: Path, arguments: list[str], what: str, expected: int) -> None:
    """Run pip; its full talk is kept in `.dev/install.log`, and its end is shown if it fails."""
    command = [
        str(folder / "bin" / "python"),
        "-m",
        "pip",
        "--disable-pip-version-check",
        *arguments,
    ]
    log, began = folder / ".dev" / "install.log", time.monotonic()
    with child(command, stdout=subprocess.PIPE) as process:
        lines = follow(process, what, expected)
        code = process.wait()
    log.write_text("".join(lines), encoding="utf-8")
    if code != 0:
        message = f"{what} failed:\n{''.join(lines[-25:])}".rstrip()
        raise Trouble(
            message, f"pip's talk is above and in {log}; look at network, proxy, index, space."
        )
    say(f"dev.py: {what}: done ({time.monotonic() - began:.1f} s)")


def follow(process: subprocess.Popen[str], what: str, expected: int) -> list[str]:
    """All lines that pip prints; says every five seconds how far it is."""
    lines: list[str] = []
    began = told = time.monotonic()
    seen, stage = 0, "starting"
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout or sys.stdin, selectors.EVENT_READ)
        while True:
            now = time.monotonic()
            if now - told >= SECONDS_OF_SILENCE:
                say(f"dev.py: {what}: {stage}, {now - began:.0f} s")
                told = now
            if not ready.select(timeout=1):
                continue
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                return lines
            lines.append(line)
            if line.startswith(("Collecting ", "Requirement already satisfied")):
                seen += 1
                stage = f"{min(seen, expected)} of {expected} fetched"
            elif line.startswith("Installing collected packages"):
                stage = "unpacking"


def clean_environment() -> dict[str, str]:
    """Our environment without what would make the new Python look elsewhere, or start slowly.

    Many container images forbid bytecode to stay small. Here nothing is compiled at installation,
    so that each of thousands of processes would compile all that it imports, again and again.
    """
    drop = {
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONHOME",
        "PYTHONPATH",
        "PIP_REQUIRE_HASHES",
        "PIP_USER",
        "PIP_TARGET",
        "PIP_PREFIX",
    }
    kept = {key: value for key, value in os.environ.items() if key not in drop}
    return kept | {"PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def child(command: Sequence[str], stdout: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process in the repository that does not outlive us; it is ended politely first."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=clean_environment(),
        stdout=stdout,
        stderr=None if stdout is None else subprocess.STDOUT,
        close_fds=False,
        text=True,
        errors="replace",
    )
    try:
        yield process
    except BaseException:
        # On Ctrl-C the terminal has told the child already; SIGTERM reaches only us.
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(timeout=0.5)
        process.terminate()
        try:
            process.wait(timeout=10)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait()
        raise


def run(command: Sequence[str]) -> int:
    """Run a command in the repository; returns its exit code, 128 + N for a death by signal N."""
    with child(command) as process:
        code = process.wait()
    return code if code >= 0 else 128 - code
