"""Keeps what was judged of rollouts that are looked at again and again: each look is judged once.

Caches and nothing more: the answer is always that of `canary.judge` and of `slo.judge_slo` on the
same looks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from swarm.core.rollout.canary import CanaryState, observe
from swarm.core.rollout.counts import ArmCounts, Look
from swarm.core.rollout.judgement import CanaryJudgement
from swarm.core.rollout.slo import judge_slo
from swarm.core.rollout.thresholds import CanaryThresholds, SloThresholds

_Kept = tuple[int, CanaryState]


class RememberedJudge:
    """`judge` with a memory of `size` rollouts; the least recently asked is forgotten."""

    def __init__(self, size: int = 1024) -> None:
        self._size = size
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def judge(
        self,
        rollout: str,
        looks: Sequence[Look],
        thresholds: CanaryThresholds,
        baseline: ArmCounts | None = None,
    ) -> CanaryJudgement:
        """As `canary.judge`; only looks that came since the last call cost anything.

        rollout: names the series. The memory is used when the series only grew: same
                 thresholds, same baseline, and the newest judged look still at its place.
        """
        seen, state = self._continue(rollout, looks, thresholds, baseline)
        for look in looks[seen:]:
            state = observe(state, look)
        self._kept[rollout] = (len(looks), state)
        self._kept.move_to_end(rollout)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return state.judgement

    def _continue(
        self,
        rollout: str,
        looks: Sequence[Look],
        thresholds: CanaryThresholds,
        baseline: ArmCounts | None,
    ) -> _Kept:
        anew = (0, CanaryState(thresholds=thresholds, baseline=baseline))
        seen, state = self._kept.get(rollout, anew)
        there = looks[seen - 1] if 0 < seen <= len(looks) else None
        same = (state.thresholds, state.baseline, state.newest) == (thresholds, baseline, there)
        return (seen, state) if same else anew


_Asked = tuple[int, Look | None, SloThresholds, ArmCounts | None]


class RememberedSlo:
    """`judge_slo` with a memory of `size` rollouts; the least recently asked is forgotten.

    Between two looks a mission is judged for other reasons, and the same looks say the same.
    """

    def __init__(self, size: int = 1024) -> None:
        self._size = size
        self._kept: OrderedDict[str, tuple[_Asked, CanaryJudgement]] = OrderedDict()

    def judge(
        self,
        rollout: str,
        looks: Sequence[Look],
        thresholds: SloThresholds,
        baseline: ArmCounts | None = None,
    ) -> CanaryJudgement:
        """As `judge_slo` on what served. Raises `BadLooks` as it does, and remembers none of it.

        rollout: names the series. The memory is used when the series stands still: the same
                 thresholds, the same baseline, as many looks, and the newest of them the same.
        """
        asked = (len(looks), looks[-1] if looks else None, thresholds, baseline)
        kept = self._kept.get(rollout)
        if kept is None or kept[0] != asked:
            kept = asked, judge_slo([look.serving() for look in looks], thresholds, baseline)
            self._kept[rollout] = kept
        self._kept.move_to_end(rollout)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return kept[1]
