"""`swarmctl regime`: fit a model to prices, run it on yours, and ask why it said what it said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from swarm.cli.complete import streams
from swarm.cli.errors import FileUnreadable, Usage
from swarm.cli.options import WHOLE, Home, Limit, Output, limited, span_of
from swarm.cli.output import (
    MANNERS,
    Column,
    Form,
    emit,
    interactive,
    line,
    say,
    show,
    show_one,
)
from swarm.cli.written import roomy, written

if TYPE_CHECKING:
    from swarm.runtime.regime.model import Model
    from swarm.runtime.regime.tape import Asked, Tape

app = App(name="regime", help="Which regime a market is in: fit, replay, score, explain, history.")
app.command("swarm.cli.regime_replay:replay", name="replay")
app.command("swarm.cli.regime_month:month", name="month")

Prices = Annotated[
    Path, Parameter(help="CSV (also gzipped) or Parquet: time and close, or quotes and trades.")
]
ModelFile = Annotated[Path, Parameter(name=["--model", "-m"], help="What `regime fit` wrote.")]
PLAIN_EVERY = 250_000  #: ticks between two lines about progress; some five seconds
CHANGES = (
    Column(title="TIME", field="time"),
    Column(title="TICK", field="tick"),
    Column(title="WAS", field="was"),
    Column(title="BECOMES", field="becomes"),
    Column(title="POSTURE", field="posture"),
    Column(title="LABEL", field="label", wide=True),
    Column(title="BECAUSE", field="reasons"),
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TapeOptions:
    """How a file of prices is to be read."""

    time: Annotated[str, Parameter(help="Column of the time; default: time, date, ...")] = ""
    price: Annotated[str, Parameter(help="Column of the price; default: close or price.")] = ""
    instrument: Annotated[str, Parameter(help="Which instrument, if the file holds several.")] = ""
    bar: Annotated[
        str,
        Parameter(help="How long quotes and trades make one tick; default: 1m, or as the model."),
    ] = ""

    def asked(self, model: Model | None) -> Asked:
        """The same for the reader. Raises `Usage` for a span that is none."""
        from swarm.runtime.regime.tape import MINUTE, Asked  # noqa: PLC0415

        bar = (model.training.bar if model else 0) or MINUTE
        if self.bar:
            bar = int(span_of("--bar", self.bar).total_seconds() * 1_000_000_000)
            if not bar:
                raise Usage(f"--bar is {self.bar}; more than nothing is wanted")
        return Asked(time=self.time, price=self.price, instrument=self.instrument, bar=bar)


USUAL = TapeOptions()


@app.command
def fit(
    file: Prices,
    /,
    *,
    out: Annotated[Path, Parameter(help="Where the model goes; an existing file is kept.")],
    until: Annotated[str, Parameter(help="Fit on what came before this time only.")] = "",
    states: Annotated[int, WHOLE, Parameter(help="Hidden states, 2 to 8; 0: as the data say.")] = 0,
    seed: Annotated[int, WHOLE, Parameter(help="The same seed gives the same model.")] = 1,
    tape: TapeOptions = USUAL,
    output: Output = Form.TABLE,
) -> None:
    """Fit a regime model to a file of prices and write it, with its held-out score and labels.

    The newest quarter is kept out of the fit that is scored; then all is used. Whether long memory
    could be mistaken for switching is tested too: then regimes count for less. The model is one
    JSON file with a hash: it decides nothing until you replay with it. Takes a second or more for
    each thousand ticks, so minutes for tens of thousands.

    Exit status: 0 written; 1 the file is refused, or the model exists; 2 wrong use.

    Example: swarmctl regime fit prices.csv --out model.json --until 2010-01-01
    """
    from swarm.runtime.regime import model as models  # noqa: PLC0415 - numerics

    if states and not 2 <= states <= 8:  # noqa: PLR2004 - said in the help
        raise Usage(f"--states is {states}; 0, or 2 to 8, is wanted")
    if seed < 0:
        raise Usage(f"--seed is {seed}; 0 or more is wanted")
    if out.exists():
        raise FileUnreadable(f"{out} exists already; name a new file, a model is never replaced")
    roomy(out)
    held = _read(file, tape)
    if until:
        held = held.until(_time("--until", until))
    say(f"fitting {len(held):,} ticks ...")
    made = models.make(held, states=states, seed=seed)
    with written(out, made.to_json().encode()):
        pass
    _show_model(made, output, str(out))


@app.command(name="show")
def show_one_of(
    what: Annotated[
        str, Parameter(help="A file of `regime fit`, or a stored stream.", completer=streams)
    ],
    /,
    *,
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Show a model, or where a stored stream stands now: regime, posterior, scores, reasons.

    Of a model: what it was fitted on, its states and labels, score, memory and thresholds. A file
    is looked for first; `./NAME` is always one. An altered file or state is refused.

    Exit status: 0; 1 no model, or altered; 2 wrong use; 5 no such stream.

    Example: swarmctl regime show spx
    """
    if Path(what).exists() or "/" in what or what.endswith(".json"):
        from swarm.runtime.regime.model import load  # noqa: PLC0415

        _show_model(load(Path(what)), output, what)
        return
    from swarm.cli.desk import ask  # noqa: PLC0415
    from swarm.runtime.regime.kept import newest  # noqa: PLC0415

    found = ask(home, lambda database: newest(database, what))
    if output.for_people:
        _show_state(found)
    else:
        show_one("RegimeState", found, output)


@app.command
def score(
    file: Prices,
    /,
    *,
    model: ModelFile,
    tape: TapeOptions = USUAL,
    output: Output = Form.TABLE,
) -> None:
    """Score a model's forecasts on ticks that it was not fitted on, beside EWMA and a law at rest.

    The score is the mean log density of each tick under its past, in nats; higher is better. The
    lead over EWMA comes with its standard error: below two of those it is no lead.

    Exit status: 0 scored; 1 the file or model is refused; 2 wrong use.

    Example: swarmctl regime score prices.csv --model model.json
    """
    from dataclasses import asdict  # noqa: PLC0415

    from swarm.runtime.regime.model import load  # noqa: PLC0415
    from swarm.runtime.regime.score import score as judge  # noqa: PLC0415

    made = load(model)
    found = judge(_read(file, tape, made), made)
    if not output.for_people:
        show_one("RegimeScore", asdict(found), output)
        return
    emit(f"{found.ticks:,} ticks after the fit; nats a tick, higher is better")
    for name, value in (("model", found.model), ("EWMA", found.ewma), ("at rest", found.static)):
        emit(f"  {name:<8} {value:9.4f}")
    emit(f"  lead over EWMA {found.lead:+.4f}, standard error {found.error:.4f}")


@app.command
def explain(
    file: Prices,
    time: Annotated[str, Parameter(help="The tick: the last one at or before this time.")],
    /,
    *,
    model: ModelFile,
    tape: TapeOptions = USUAL,
    output: Output = Form.TABLE,
) -> None:
    """Say why a regime and a posture held at one time: each vote, each threshold, each reason.

    Replays the file up to that tick and no further, so nothing later can colour the answer.

    Exit status: 0; 1 the file or model is refused; 2 wrong use; 5 no such tick.

    Example: swarmctl regime explain prices.csv 2008-10-10 --model model.json
    """
    from swarm.runtime.regime.errors import NoSuchStream  # noqa: PLC0415
    from swarm.runtime.regime.explanation import explain as explained  # noqa: PLC0415
    from swarm.runtime.regime.model import load  # noqa: PLC0415
    from swarm.runtime.regime.replay import begin, replay  # noqa: PLC0415

    made = load(model)
    held = _read(file, tape, made)
    made.fitting(held)
    upto = held.until(_time("TIME", time) + 1)
    if len(upto) < 2:  # noqa: PLR2004 - a return needs two
        remedy = "Name a time within the file, or give a file that begins earlier."
        raise NoSuchStream(
            f"no tick lies at or before {time}; the file begins later", remedy=remedy
        )
    _compiling()
    found = explained(replay(upto, made, begin(made), _progress).point, made)
    if not output.for_people:
        show_one("RegimeExplanation", {"at": _stamp(found["updatedAt"]), **found}, output)
        return
    _tell(found)


def _tell(found: dict[str, Any]) -> None:
    since = _stamp(found["sinceAt"]) if found["sinceAt"] else "the beginning"
    emit(f"{_stamp(found['updatedAt'])}  {found['id']} since {since}, {found['posture']}")
    if found["active"] != found["id"]:
        emit(f"  label beneath: {found['active'] or 'none yet'}")
    shares = ", ".join(f"{name} {p:.2f}" for name, p in found["posterior"].items())
    emit(f"  posterior: {shares}")
    emit(f"  votes: {found['votes']['run']['sentence']}")
    for one in found["checks"]:
        sign = ">=" if one["reached"] else "<"
        effect = one["leadsTo"] if one["reached"] else f"no {one['leadsTo'].removeprefix('a ')}"
        emit(f"  {one['name']} {one['found']:.3f} {sign} {one['threshold']}: {effect}")
    runs = found["votes"]["changepoint"]
    emit(f"  the likeliest run began at tick {runs['likeliestRunBeganAtTick']} of {found['tick']}")
    for episode in ("level", "scale"):
        tick = found["votes"]["drift"][f"{episode}EpisodeAtTick"]
        emit(f"  drift of {episode}: {'never' if tick < 0 else f'last began at tick {tick}'}")
    if found["candidate"]:
        emit(f"  candidate: {found['candidate']} for {found['candidateTicks']} ticks")
    for sentence in found["because"] or ["nothing speaks against it"]:
        emit(f"  because {sentence}")


@app.command
def history(
    stream: Annotated[
        str, Parameter(help="The name given to `regime replay --store`.", completer=streams)
    ],
    /,
    *,
    limit: Limit = 20,
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """List what the store holds of a stream: a version for each delivery cycle, and the changes.

    Exit status: 0; 2 wrong use; 5 nothing is stored under this name.

    Example: swarmctl regime history spx
    """
    from swarm.cli.desk import ask  # noqa: PLC0415
    from swarm.runtime.regime.kept import recall  # noqa: PLC0415

    most = limited(limit)
    found = ask(home, lambda database: recall(database, stream, most))
    if not output.for_people:
        show_one("RegimeHistory", found, output)
        return
    for one in found["versions"]:
        said = one["record"]
        emit(
            f"version {one['version']}  cycle {line(one['cycle'])}  {_stamp(one['at_ns'])}"
            f"  tick {one['tick']}  {said['id']}, {said['posture']}"
            f"  state {said['stateHash'][:12]}"
        )
    rows = [{**one, "name": one["tick"], "time": _stamp(one["at_ns"])} for one in found["changes"]]
    show(rows, [one for one in CHANGES if not one.wide], output, kind="RegimeChange")


def _show_state(found: dict[str, Any]) -> None:
    since = _stamp(found["sinceAt"]) if found["sinceAt"] else "the beginning"
    emit(f"{line(found['stream'])}: {found['id']} since {since}, {found['posture']}")
    shares = ", ".join(f"{name} {p:.2f}" for name, p in found["posterior"].items())
    emit(f"  posterior: {shares}")
    for name in ("changepoint", "drift"):
        emit(f"  {name} score: {found[f'{name}Score']:.3f}")
    emit(f"  disagreement: {found['disagreement']:.3f}")
    if found["candidate"]:
        emit(f"  candidate: {found['candidate']} for {found['candidateTicks']} ticks")
    if found["minDwellUntil"] > found["tick"]:
        emit(f"  stays at least until tick {found['minDwellUntil']}")
    for reason in found["reasons"]:
        emit(f"  because {reason}")
    emit(
        f"  version {found['version']}, cycle {line(found['cycle'])}, {_stamp(found['updatedAt'])},"
        f" tick {found['tick']}, state {found['stateHash'][:12]}"
    )


def _show_model(made: Model, output: Form, name: str) -> None:
    from swarm.regime.markov.params import NAME  # noqa: PLC0415

    training, markov = made.training, made.params.markov
    if not output.for_people:
        show_one("RegimeModel", {"name": name, "hash": made.hash, **made.fields()}, output)
        return
    what = training.instrument or "one instrument"
    emit(f"{NAME} model {made.hash[:12]} of {what}: {training.ticks:,} ticks,")
    emit(f"  {_stamp(training.first)} to {_stamp(training.last)}")
    emit(f"  held out: {training.held_out:,} ticks, {training.score:.4f} nats a tick")
    emit(f"  memory: {made.memory.sentence}")
    for state, label in enumerate(markov.labels):
        stay = 1 / max(1 - float(markov.transition[state, state]), 1e-12)
        emit(
            f"  state {state}  {label:<18}  scale {markov.scale[state]:.3f} %"
            f"  nu {markov.nu[state]:.1f}  stays {stay:,.0f} ticks"
        )
    policy = made.params.policy
    emit(
        f"  a change needs posterior {policy.enter}, {policy.confirm} ticks,"
        f" new run {policy.change}; a regime holds {policy.dwell} ticks"
    )


def _read(file: Path, tape: TapeOptions, model: Model | None = None) -> Tape:
    from swarm.runtime.regime.tape import read  # noqa: PLC0415

    return read(file, tape.asked(model))


def _time(option: str, text: str) -> int:
    from swarm.runtime.regime.cells import Where, time_of  # noqa: PLC0415
    from swarm.runtime.regime.errors import TapeRefused  # noqa: PLC0415

    try:
        return time_of(text, Where(path=Path(option), line=0))
    except TapeRefused as error:
        right = "ISO 8601 such as 2010-01-01, or nanoseconds since 1970"
        raise Usage(f"{option} is {line(text[:60])!r}; {right} is wanted") from error


def _stamp(at: int) -> str:
    from datetime import UTC, datetime  # noqa: PLC0415

    found = datetime.fromtimestamp(at // 1_000_000_000, UTC)
    return f"{found:%Y-%m-%d}" if at % 86_400_000_000_000 == 0 else f"{found:%Y-%m-%d %H:%M:%SZ}"


def _somebody_looks() -> bool:
    import sys  # noqa: PLC0415

    return sys.stderr.isatty() and not MANNERS.quiet


def _compiling() -> None:
    """Tell a person who looks why nothing moves: 38 s of CPU time after each installation."""
    from swarm.regime.engine.tick import advance_all  # noqa: PLC0415 - numerics
    from swarm.regime.kernel import is_ready  # noqa: PLC0415

    if _somebody_looks() and not is_ready(advance_all):
        say("compiling the detectors, once on this machine: a minute ...")


def _progress(done: int, ticks: int) -> None:
    """For a person who looks: one line that is drawn anew or, where that may not be, a few."""
    import sys  # noqa: PLC0415

    if not _somebody_looks():
        return
    told = f"replayed {done:,} of {ticks:,} ticks"
    if interactive(sys.stderr):
        sys.stderr.write(f"\r{told}" + "\n" * (done == ticks))
        sys.stderr.flush()
    elif done % PLAIN_EVERY == 0 or done == ticks:
        say(told)
