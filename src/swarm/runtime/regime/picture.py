"""A replay as a picture: regimes, what the detectors said, how much we dared, who stood where.

Colours are those of Okabe and Ito, which colour-blind people tell apart; every area is named where
it stands as well, so that no colour carries meaning alone.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

import numpy as np

from swarm.regime.ensemble import CHANGE, DISAGREEMENT, DRIFT, REGIMES
from swarm.regime.hysteresis.policy import Policy
from swarm.regime.nouns import HIDDEN, LADDER, FloatArray, Regime, Rung
from swarm.runtime.regime.errors import ExtraMissing
from swarm.runtime.regime.replay import Replayed

COLOURS: Final = {
    Regime.TREND: "#009E73",
    Regime.MEAN_REVERT: "#56B4E9",
    Regime.HIGH_VOL: "#E69F00",
    Regime.STRESSED_LIQUIDITY: "#D55E00",
    Regime.UNCERTAIN: "#999999",
}
POINTS_MOST = 3_000
"""More than a screen has columns; a thinned track keeps its peaks."""
SHARES: Final = {0: 1.0, 1: 0.25}
"""The most of its capital that a posture leaves: normal, defensive."""
_NAMED_LEAST = 0.08  #: share of the picture's time that a span needs to bear its name


@dataclass(frozen=True, slots=True, kw_only=True)
class RungTrack:
    """Where a strategy stood: each rung with the time (nanoseconds UTC) from which on it holds."""

    strategy: str
    rungs: Sequence[tuple[int, Rung]]


def draw(
    replayed: Replayed, policy: Policy, title: str, form: str, track: RungTrack | None = None
) -> bytes:
    """The picture as SVG or PNG bytes. Raises ExtraMissing. Cost: some seconds."""
    try:
        from matplotlib import rc_context  # noqa: PLC0415 - of the extra `regime`
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise ExtraMissing("--picture needs matplotlib, which is not installed") from error
    with rc_context({"svg.hashsalt": "swarm", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(12, 9), layout="constrained")
        FigureCanvasAgg(figure)
        heights = [3.0, 1.0, 1.2, 1.0, *([1.0] if track else [])]
        axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        figure.suptitle(title)
        times = _times(replayed)
        _posterior(axes[0], replayed, times)
        _said(axes[1], replayed, times)
        _tracks(axes[2], replayed, times, policy)
        _capital(axes[3], replayed, times)
        if track is not None:
            _rungs(axes[4], track, times)
        for at, _ in replayed.changes:
            for axis in axes[:1]:
                axis.axvline(_instant(at), color="black", linewidth=0.4, alpha=0.5)
        axes[-1].margins(x=0)
        axes[-1].set_xlabel("time, UTC")
        made = io.BytesIO()
        # No date inside: the same replay gives the same bytes.
        meta: dict[str, Any] = {"Date": None, "Title": title} if form == "svg" else {}
        figure.savefig(made, format=form, dpi=110, metadata=meta)
    return made.getvalue()


def _instant(at: int) -> datetime:
    return datetime.fromtimestamp(at // 1_000_000_000, UTC)


def _stride(replayed: Replayed) -> int:
    return -(-len(replayed.at) // POINTS_MOST)


def _times(replayed: Replayed) -> list[datetime]:
    return [_instant(int(at)) for at in replayed.at[:: _stride(replayed)]]


def _peaks(track: FloatArray, stride: int) -> FloatArray:
    """The greatest of every `stride` values: thinned without losing an alarm."""
    starts = np.arange(0, len(track), stride)
    return np.asarray(np.maximum.reduceat(track, starts))


def _posterior(axis: Any, replayed: Replayed, times: list[datetime]) -> None:
    shares = replayed.opinions[:: _stride(replayed), :REGIMES].T
    axis.stackplot(times, shares, colors=[COLOURS[one] for one in HIDDEN], linewidth=0)
    # Named at the right, at the height where each area ends; an empty one is named nowhere.
    below = 0.0
    for regime, share in zip(HIDDEN, replayed.opinions[:, :REGIMES].mean(axis=0), strict=True):
        if share > 0:
            where = (below + share / 2, COLOURS[regime])
            axis.annotate(
                f"{regime} {share:.0%}", (1.005, where[0]), xycoords="axes fraction",
                color=where[1], va="center", fontweight="bold",
            )  # fmt: skip
        below += share
    axis.set(ylim=(0, 1), ylabel="posterior\n(black: a change)")


def _said(axis: Any, replayed: Replayed, times: list[datetime]) -> None:
    """What was published, as spans; those in which the posture was defensive are hatched."""
    said = replayed.said
    edges = [0, *(np.flatnonzero(np.diff(said)) + 1).tolist(), len(said)]
    at = [_instant(int(one)) for one in replayed.at]
    names = [*HIDDEN, Regime.UNCERTAIN]
    for begin, end in pairwise(edges):
        regime = names[int(said[begin])]
        right = at[min(end, len(at) - 1)]
        axis.axvspan(at[begin], right, color=COLOURS[regime], linewidth=0)
        if end - begin > _NAMED_LEAST * len(said):
            middle = at[(begin + end) // 2]
            axis.text(middle, 0.7, str(regime), ha="center", va="center", fontsize=7)
    defensive = replayed.posture[:: _stride(replayed)] == 1
    axis.fill_between(
        times, 0, 0.35, where=defensive, step="post", facecolor="white", edgecolor="black",
        hatch="////", linewidth=0,
    )  # fmt: skip
    axis.annotate("hatched:\ndefensive", (1.005, 0.2), xycoords="axes fraction", va="center")
    axis.set(ylim=(0, 1), yticks=[], ylabel="published")


def _tracks(axis: Any, replayed: Replayed, times: list[datetime], policy: Policy) -> None:
    stride = _stride(replayed)
    for column, name, colour in (
        (CHANGE, "new run", "#0072B2"),
        (DRIFT, "drift", "#CC79A7"),
        (DISAGREEMENT, "disagreement", "#000000"),
    ):
        track = _peaks(replayed.opinions[:, column], stride)
        axis.plot(times, track, color=colour, linewidth=0.8, label=name)
    axis.axhline(policy.change, color="#0072B2", linestyle="--", linewidth=0.8)
    axis.axhline(policy.disagreement_enters, color="#000000", linestyle=":", linewidth=0.8)
    for place, (name, colour) in enumerate(
        ((f"new run, -- {policy.change}", "#0072B2"), ("drift", "#CC79A7"),
         (f"disagreement, .. {policy.disagreement_enters}", "#000000"))
    ):  # fmt: skip
        axis.annotate(
            name, (1.005, 0.85 - 0.3 * place), xycoords="axes fraction", color=colour, va="center"
        )
    axis.set(ylim=(0, 1.02), ylabel="scores")


def _capital(axis: Any, replayed: Replayed, times: list[datetime]) -> None:
    """The most that posture leaves, and the label beneath as a step."""
    share = np.array([SHARES[int(one)] for one in replayed.posture[:: _stride(replayed)]])
    axis.step(times, share, where="post", color="black", linewidth=1)
    axis.annotate("most capital\nby posture", (1.005, 0.5), xycoords="axes fraction", va="center")
    axis.set(ylim=(0, 1.05), yticks=[0, 0.25, 1], yticklabels=["0", "25 %", "100 %"])
    axis.set_ylabel("capital")


def _rungs(axis: Any, track: RungTrack, times: list[datetime]) -> None:
    """The ladder as equal steps; what happened before and behind the replay stays outside."""
    moves = [(_instant(at), rung) for at, rung in sorted(track.rungs)]
    inside = [(at, rung) for at, rung in moves if times[0] < at < times[-1]]
    begins = next((rung for at, rung in reversed(moves) if at <= times[0]), Rung.SHADOW)
    steps = [(times[0], begins), *inside]
    steps.append((times[-1], steps[-1][1]))
    places = [LADDER.index(rung) for _, rung in steps]
    axis.step([at for at, _ in steps], places, where="post", color="black", linewidth=1)
    axis.annotate(f"rung of\n{track.strategy}", (1.005, 0.5), xycoords="axes fraction", va="center")
    axis.set(ylim=(-0.3, len(LADDER) - 0.7), yticks=range(len(LADDER)), ylabel="ladder")
    axis.set_yticklabels([rung.label for rung in LADDER])
