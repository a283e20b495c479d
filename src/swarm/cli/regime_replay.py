"""`swarmctl regime replay`: run the detectors on a file, keep the state, draw what they said."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from swarm.cli.complete import streams
from swarm.cli.errors import Usage
from swarm.cli.options import Home, Output
from swarm.cli.output import Form, emit, line, say, show, show_one
from swarm.cli.regime import (
    CHANGES,
    USUAL,
    ModelFile,
    Prices,
    TapeOptions,
    _compiling,
    _progress,
    _read,
    _stamp,
)
from swarm.cli.written import roomy, written

if TYPE_CHECKING:
    from swarm.runtime.regime.model import Model
    from swarm.runtime.regime.picture import RungTrack
    from swarm.runtime.regime.replay import Replayed, ReplayPoint

RUNGS_MOST = 10_000  #: newest moves of a strategy that are drawn
STATE_MOST = 64 * 2**20  #: bytes of a saved state; a real one has some 200 KB


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Keeping:
    """Where a replay begins, and what is kept of it."""

    picture: Annotated[Path | None, Parameter(help="Draw it to this .svg or .png file.")] = None
    rungs: Annotated[str, Parameter(help="Draw where this strategy stood, from the store.")] = ""
    save: Annotated[Path | None, Parameter(help="Write the last state to this file.")] = None
    resume: Annotated[Path | None, Parameter(help="Continue from a state that --save wrote.")] = (
        None
    )
    store: Annotated[
        str, Parameter(help="Keep the state in the store under this name.", completer=streams)
    ] = ""
    cycle: Annotated[str, Parameter(help="Delivery cycle of --store; default: the state.")] = ""

    def checked(self) -> Keeping:
        """The same. Raises `Usage` and `FileUnreadable` before anything long begins."""
        if self.picture is not None and self.picture.suffix not in {".svg", ".png"}:
            raise Usage(f"--picture is {line(str(self.picture)[:60])!r}; .svg or .png is wanted")
        if self.rungs and self.picture is None:
            raise Usage("--rungs is a part of the picture; --picture is wanted too")
        if self.cycle and not self.store:
            raise Usage("--cycle names a cycle in the store; --store is wanted too")
        if self.resume is not None and self.store:
            raise Usage("--store goes on from what it holds; leave --resume out")
        for path in (self.picture, self.save):
            if path is not None:
                roomy(path)
        return self


NOTHING_KEPT = Keeping()


def replay(
    file: Prices,
    /,
    *,
    model: ModelFile,
    tape: TapeOptions = USUAL,
    keeping: Keeping = NOTHING_KEPT,
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Run a model on a file, tick by tick: the regime over time, each change with its reasons.

    Nothing later than a tick decides about it, so a replay says what would have been said live.
    Equal files and models give an equal state hash, on every machine, in one go or in parts. With
    --store the state is kept in the store, one version for each delivery cycle, and the next
    replay goes on from there. Interrupted, it leaves every file as it was.

    Exit status: 0 replayed; 1 the file, model or state is refused; 2 wrong use; 5 no installation;
    7 the cycle has another state.

    Example: swarmctl regime replay prices.csv --model model.json --picture regimes.svg
    """
    from swarm.runtime.regime.model import load  # noqa: PLC0415 - numerics
    from swarm.runtime.regime.replay import replay as run  # noqa: PLC0415

    keeping.checked()
    made = load(model)
    held = _read(file, tape, made)
    made.fitting(held)
    track = _track(keeping.rungs, home) if keeping.rungs else None
    point = _point(keeping, made, home)
    _compiling()
    replayed = run(held, made, point, _progress)
    with ExitStack() as files:  # the store may refuse; then no file is another than before
        if keeping.picture is not None:
            from swarm.runtime.regime.picture import draw  # noqa: PLC0415 - matplotlib

            state = replayed.last.state_hash[:12]
            title = f"{line(file.name)}, model {made.hash[:12]}, state {state}"
            form = keeping.picture.suffix[1:]
            drawn = draw(replayed, made.params.policy, title, form, track)
            files.enter_context(written(keeping.picture, drawn))
        if keeping.save is not None:
            files.enter_context(written(keeping.save, replayed.point.to_bytes(made)))
        version = _kept(keeping, replayed, made, home)
    _show(replayed, output, version)


def _track(strategy: str, home: Home) -> RungTrack:
    from swarm.adapters.postgres.store.regime.rungs import Rungs  # noqa: PLC0415
    from swarm.cli.desk import ask  # noqa: PLC0415
    from swarm.runtime.regime.errors import NoSuchStream  # noqa: PLC0415
    from swarm.runtime.regime.picture import RungTrack  # noqa: PLC0415

    moves = ask(home, lambda database: Rungs(database).history(strategy, RUNGS_MOST))
    if not moves:
        remedy = "`swarmctl capital show` lists the strategies that have stood on a rung."
        raise NoSuchStream(f"no rung of a strategy {strategy[:60]!r} is stored", remedy=remedy)
    return RungTrack(strategy=line(strategy), rungs=[(one.at_ns, one.rung) for one in moves])


def _point(keeping: Keeping, made: Model, home: Home) -> ReplayPoint:
    from swarm.runtime.regime.replay import begin, resume  # noqa: PLC0415

    if keeping.resume is not None:
        from swarm.runtime.regime.errors import ReplayRefused  # noqa: PLC0415

        if keeping.resume.stat().st_size > STATE_MOST:
            right = f"at most {STATE_MOST:,} bytes are wanted"
            raise ReplayRefused(f"{keeping.resume} is larger than any saved replay; {right}")
        return resume(keeping.resume.read_bytes(), made)
    if keeping.store:
        from swarm.cli.desk import ask  # noqa: PLC0415
        from swarm.runtime.regime.kept import named, point_of  # noqa: PLC0415

        stream = named(keeping.store, "stream")
        held = ask(home, lambda database: point_of(database, stream, made))
        if held is not None:
            say(f"going on behind tick {held.state.tick} of {line(stream)}")
            return held
    return begin(made)


def _kept(keeping: Keeping, replayed: Replayed, made: Model, home: Home) -> int | None:
    if not keeping.store:
        return None
    from swarm.cli.desk import ask  # noqa: PLC0415
    from swarm.runtime.regime.kept import keep, named  # noqa: PLC0415

    stream = named(keeping.store, "stream")
    cycle = named(keeping.cycle or f"state-{replayed.last.state_hash[:16]}", "cycle")
    return ask(home, lambda database: keep(database, stream, cycle, replayed, made))


def _show(replayed: Replayed, output: Form, version: int | None) -> None:
    changes = [
        {
            "name": change.tick,
            "tick": change.tick,
            "time": _stamp(at),
            "was": str(change.before),
            "becomes": str(change.said),
            "label": str(change.active or ""),
            "posture": str(change.posture),
            "reasons": list(change.reasons.names),
        }
        for at, change in replayed.changes
    ]
    last = replayed.last
    if output in {Form.JSON, Form.YAML}:
        body = {"ticks": len(replayed.at), "stored": version, "last": last.to_json()}
        show_one("RegimeReplay", {**body, "shares": _shares(replayed), "changes": changes}, output)
        return
    show(changes, CHANGES, output, kind="RegimeChange")
    if not output.for_people:
        return
    emit(f"{len(replayed.at):,} ticks: {', '.join(_share_words(replayed))}")
    emit(f"now {last.id}, {last.posture}, since {_stamp(last.since_at) if last.since_at else '-'}")
    emit(f"state {last.state_hash}")
    if version is not None:
        emit(f"stored as version {version}")


def _shares(replayed: Replayed) -> dict[str, float]:
    from swarm.regime.nouns import HIDDEN, Regime  # noqa: PLC0415

    names = [*HIDDEN, Regime.UNCERTAIN]
    found: dict[str, Any] = {
        str(name): float((replayed.said == place).mean()) for place, name in enumerate(names)
    }
    return {**found, "defensive": float((replayed.posture == 1).mean())}


def _share_words(replayed: Replayed) -> list[str]:
    return [f"{name} {share:.1%}" for name, share in _shares(replayed).items() if share > 0]
