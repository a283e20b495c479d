"""A fitted model as a file: all that decides, what it was fitted on, and one hash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from swarm.regime import changepoint, drift, microstructure
from swarm.regime.engine.params import EngineParams
from swarm.regime.errors import RegimeError
from swarm.regime.hysteresis.policy import Policy
from swarm.regime.markov.emission import Emission, Shape
from swarm.regime.markov.fit import CANDIDATES, choose, fit, log_scores
from swarm.regime.markov.params import MarkovParams
from swarm.regime.memory.finding import MemoryFinding, examine, volatility
from swarm.regime.nouns import FloatArray
from swarm.regime.saved import params_hash
from swarm.regime.transform.reference import Reference, fit_reference
from swarm.runtime.regime.errors import ModelRefused, TapeRefused
from swarm.runtime.regime.tape import Tape, returns

KIND, VERSION = "regime-model", 2
HELD_OUT = 0.25
"""The share of ticks, the newest, that the shape is chosen by and the score is of."""
BYTES_MOST = 4 * 2**20


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a model was fitted on. first, last: ns UTC; score: nats a tick, on the held-out part.

    bar: nanoseconds of quotes and trades in a tick; 0 for a model of prices alone.
    """

    instrument: str
    ticks: int
    first: int
    last: int
    bar: int
    held_out: int
    score: float


@dataclass(frozen=True, kw_only=True)
class Model:
    """An engine's parameters with where they come from, and what long memory they might mistake."""

    params: EngineParams
    training: Training
    memory: MemoryFinding

    @property
    def hash(self) -> str:
        """64 hexadecimal digits that name the whole file."""
        return params_hash(KIND, VERSION, self.fields())

    def fields(self) -> dict[str, Any]:
        """What the file holds beside kind, version and hash."""
        params = self.params
        return {
            "training": asdict(self.training),
            "memory": {**asdict(self.memory), "verdict": str(self.memory.verdict)},
            "markov": json.loads(params.markov.to_json()),
            "reference": asdict(params.references[0]),
            "changepoint": asdict(params.changepoint),
            "drift": asdict(params.drift),
            "quotes": asdict(params.quotes) if params.quotes else None,
            "policy": params.policy._asdict(),
        }

    def to_json(self) -> str:
        """The text of the file."""
        head = {"kind": KIND, "version": VERSION, "hash": self.hash}
        return json.dumps({**head, **self.fields()}, indent=1, allow_nan=False) + "\n"

    def fitting(self, tape: Tape) -> None:
        """Refuse a tape of another instrument, of another kind, or of bars of another length."""
        mine, theirs = self.training.instrument, tape.instrument
        if mine and theirs and mine != theirs:
            raise ModelRefused(f"the model is of {mine!r}, the file of {theirs!r}; one is wanted")
        if bool(tape.readings) != bool(self.params.quotes):
            kinds = ("prices alone", "quotes and trades")
            has, wants = kinds[bool(tape.readings)], kinds[bool(self.params.quotes)]
            raise ModelRefused(f"the file holds {has}; this model wants {wants}")
        if tape.bar != self.training.bar:
            has, wants = (f"{bar / 1e9:g}s" for bar in (tape.bar, self.training.bar))
            raise ModelRefused(
                f"the file was read in bars of {has}; this model wants --bar {wants}"
            )


def load(path: Path) -> Model:
    """The model in a file. Raises ModelRefused, OSError."""
    if path.stat().st_size > BYTES_MOST:
        raise ModelRefused(f"{path} is larger than any model; at most {BYTES_MOST:,} bytes")
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        kind, version, claimed = held.pop("kind"), held.pop("version"), held.pop("hash")
        if (kind, version) != (KIND, VERSION):
            raise ModelRefused(f"{path} is {kind!r} {version!r}; {KIND!r} {VERSION} is wanted")
        if params_hash(KIND, VERSION, held) != claimed:
            raise ModelRefused(f"{path} does not have the hash that it claims; it was altered")
        return Model(
            params=_params(held),
            training=Training(**held["training"]),
            memory=TypeAdapter(MemoryFinding).validate_python(held["memory"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, RegimeError) as error:
        what = f"{type(error).__name__}: {error}"[:200]
        raise ModelRefused(f"{path} is no regime model ({what})") from error


def _params(held: Mapping[str, Any]) -> EngineParams:
    markov = MarkovParams.from_json(json.dumps(held["markov"]))
    runs = dict(held["changepoint"])
    if isinstance(runs["hazard"], list):
        runs["hazard"] = tuple(runs["hazard"])
    quotes = held["quotes"]
    if quotes is not None:
        tuples = {name: tuple(quotes[name]) for name in ("lows", "highs")}
        quotes = microstructure.Params(**{**quotes, **tuples})
    return EngineParams(
        markov=markov,
        references=(Reference(**held["reference"]),),
        changepoint=changepoint.Params(**runs),
        drift=drift.Params(**held["drift"]),
        quotes=quotes,
        policy=Policy(**held["policy"]),
        # Whoever names the file trusts what is in it; a controller has a list of its own.
        trusted=frozenset({markov.hash()}),
    )


def make(tape: Tape, *, states: int, seed: int) -> Model:
    """Fit a model to a tape. states: 0 lets held-out ticks choose between 4 and 5.

    Raises `BadSeries` for a tape that is too short, or does not vary. Cost: some seconds.
    """
    values = returns(tape.price)[1:]
    cut = len(values) - int(HELD_OUT * len(values))
    shapes = [Shape(states=states, emission=law) for law in Emission] if states else CANDIDATES
    if cut == len(values):
        raise TapeRefused(f"the file has {len(tape)} ticks; some hundreds are wanted")
    if np.count_nonzero(~np.isnan(values[cut:])) < 1:
        raise TapeRefused("the newest quarter of the file has no price; some are wanted")
    liquidity = _liquidity(tape)
    fitted, shape = choose(values, shapes, held_out=HELD_OUT, seed=seed, liquidity=liquidity)
    held = log_scores(fit(values[:cut], shape, seed=seed).params, values)[cut:]
    params = EngineParams(
        markov=fitted.params,
        references=(fit_reference(values),),
        quotes=microstructure.Params() if tape.readings else None,
        trusted=frozenset({fitted.params.hash()}),
    )
    training = Training(
        instrument=tape.instrument,
        ticks=len(values),
        first=int(tape.at[0]),
        last=int(tape.at[-1]),
        bar=tape.bar,
        held_out=len(held),
        score=float(held[~np.isnan(values[cut:])].mean()),
    )
    return Model(params=params, training=training, memory=remembered(values))


def remembered(values: FloatArray) -> MemoryFinding:
    """Long memory against switching in these returns (REG-5).

    To six digits: a logarithm and a transform of numpy's differ beyond that between machines.
    """
    found = asdict(examine(volatility(values)))
    digits = {name: round(one, 6) for name, one in found.items() if isinstance(one, float)}
    return MemoryFinding(**{**found, **digits})


def _liquidity(tape: Tape) -> FloatArray | None:
    """How wide spreads are, in logarithms: higher is worse. None without quotes."""
    if not tape.readings:
        return None
    spread = np.array([float(one.spread[0]) for one in tape.readings[1:]])
    known = np.where(spread > 0, spread, np.nanmedian(spread[spread > 0]))
    return np.asarray(np.log(known))
