"""What happened on this machine, read from what was changed and not from what we say of it.

Four journals: the history of main in each private clone, the keys that each target carried out,
the folders of agent runs, and the owner's channel. None of them knows a verdict or a freeze, so
our own log can be held against them.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from urllib.parse import unquote

from swarm.adapters.local.git.commits import MISSION, REVERTS
from swarm.adapters.local.git.intake import branch_of
from swarm.adapters.local.service import state
from swarm.adapters.local.service.errors import BadTarget
from swarm.core.history.journal import Deed
from swarm.core.ids import mission_of, order_key

_ON_TARGETS = {deed.value: deed for deed in (Deed.SYNC, Deed.TRAFFIC, Deed.PROMOTE, Deed.ABORT)}
_BY, _WRITTEN_BY = "%cn %ce %ct", "%an %ae %at"  #: who put a commit here; who wrote it, and when
_FIELDS = "%x00".join(
    (
        "%H",
        *(f"%(trailers:key={key},valueonly,separator=%x2C)" for key in (MISSION, REVERTS)),
        _BY,
        _WRITTEN_BY,
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """One thing that was really done, as its journal shows it.

    key:   of the order; for a landing the beginning of it, because main does not know the rest.
    at:    what the journal says about the time; None where it says nothing.
    paths: what a landing touched, as the repository says.
    fence: of the claim behind it; None where the journal does not know.
    """

    deed: Deed
    mission: str
    key: str
    where: str = ""
    subject: str = ""
    step: int = 0
    at: datetime | None = None
    paths: tuple[str, ...] = ()
    fence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """One journal: its name, what it holds, and why it could not be read where it could not."""

    name: str
    deposits: tuple[Deposit, ...] = ()
    unread: str = ""


def journals(clones: Path, services: Path, jobs: Path, channel: Path) -> list[Journal]:
    """Every journal of one installation. Cost: one pass over each; git is asked once a clone."""
    found = mains(clones)
    found += [
        _journal(f"target {folder.parent.name}", exposures(folder))
        for folder in _in(services, "*/service")
    ]
    found.append(_journal("agent runs", runs(jobs)))
    return [*found, _journal("the owner's channel", notices(channel))]


def mains(clones: Path) -> list[Journal]:
    """The history of main in each private clone."""
    return [
        _journal(main_of(unquote(clone.stem)), landings(clone)) for clone in _in(clones, "*.git")
    ]


def main_of(repo: str) -> str:
    """The name of the journal of a repository's main."""
    return f"main of {repo}"


def _in(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern))


def _journal(name: str, read: Iterator[Deposit]) -> Journal:
    try:
        return Journal(name=name, deposits=tuple(read))
    except subprocess.CalledProcessError as error:
        return Journal(name=name, unread=f"git: {error.stderr.strip()}"[:500])
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        BadTarget,
        subprocess.SubprocessError,
    ) as error:
        return Journal(name=name, unread=f"{type(error).__name__}: {error}"[:500])


def landings(clone: Path) -> Iterator[Deposit]:
    """Each commit of ours on main, the oldest first. When main moved to it, Git does not say.

    Main is whatever is no change branch: it may have another name, and another one than it had.
    We put a commit there as we write it. What somebody reworded, rebased or picked is his own, and
    git says so: it keeps the author, and names who did it.
    """
    protected = (f"--exclude={branch_of('*')}", "--branches", "--")
    mark = token_hex(8)  # drawn now: no path that was ever named can look like a commit
    shown = ("--no-show-signature", "--no-renames", "--name-only", "-z")
    words = ("log", "--reverse", *shown, f"--format={mark}{_FIELDS}%x00", *protected)
    command = ["git", "-c", "safe.directory=*", "-C", str(clone), *words]
    said = subprocess.run(command, capture_output=True, check=True, timeout=600)
    for told in said.stdout.decode(errors="surrogateescape").split(mark)[1:]:
        commit, mission, undone, by, written_by, _, first, *more = f"{told}\0".split("\0")
        if not mission or by != written_by:
            continue
        deed, subject = (Deed.REVERT, undone) if undone else (Deed.LAND, commit)
        yield Deposit(
            deed=deed,
            mission=mission,
            key=order_key(mission, str(deed), subject),
            where=unquote(clone.stem),
            subject=subject,
            paths=tuple(path for path in (first.removeprefix("\n"), *more) if path),
        )


def exposures(folder: Path) -> Iterator[Deposit]:
    """Each order that the target carried out, in its order; it keeps the newest thousand."""
    target = state.read(folder)
    fences = dict(target.fences)
    for key, _ in target.done:
        verb, where, subject, step = (*key.split("/")[1:], "", "", "", "")[:4]
        if verb in _ON_TARGETS:
            yield Deposit(
                deed=_ON_TARGETS[verb],
                mission=mission_of(key),
                key=key,
                where=where,
                subject=subject,
                step=int(step) if verb == Deed.TRAFFIC else 0,
                fence=fences.get(key),
            )


def runs(jobs: Path) -> Iterator[Deposit]:
    """Each agent run that was started here and is not swept yet."""
    for named in _in(jobs, "runs/jobs/*/key"):
        try:
            run, at = named.read_text(encoding="utf-8"), named.stat().st_mtime
        except FileNotFoundError:
            continue  # swept since it was found
        mission, told, attempt = run.rpartition("-run-")
        if told:
            yield Deposit(
                deed=Deed.RUN,
                mission=mission,
                key=order_key(mission, "run", attempt),
                subject=run,
                at=datetime.fromtimestamp(at, UTC),
            )


def notices(channel: Path) -> Iterator[Deposit]:
    """Each thing that the owner was told of a mission, in the present log and the one before it.

    What is told of no mission, as a seal is, rests on no order. What stands behind the last whole
    line is being written, or was cut off by a crash: the next writer removes it.
    """
    for path in (channel.with_name(f"{channel.name}.1"), channel):
        whole, _, _ = (path.read_bytes() if path.exists() else b"").rpartition(b"\n")
        for text in whole.splitlines():
            line = json.loads(text)
            if not line["mission"]:
                continue
            yield Deposit(
                deed=Deed.NOTIFY,
                mission=line["mission"],
                key=line["key"],
                where=line["channel"],
                at=datetime.fromisoformat(line["at"]),
            )
