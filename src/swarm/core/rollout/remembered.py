"""Keeps the fold of rollouts that are looked at again and again, so each look is judged once.

A cache and nothing more: the answer is always that of `canary.judge` on the same looks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from swarm.core.rollout.canary import CanaryState, observe
from swarm.core.rollout.counts import ArmCounts, Look
from swarm.core.rollout.judgement import CanaryJudgement
from swarm.core.rollout.thresholds import CanaryThresholds

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
        seen, state = self._kept.get(rollout, (0, None))
        grown = state is not None and 0 < seen <= len(looks) and looks[seen - 1] == state.newest
        if state is None or not grown:
            return 0, CanaryState(thresholds=thresholds, baseline=baseline)
        if state.thresholds != thresholds or state.baseline != baseline:
            return 0, CanaryState(thresholds=thresholds, baseline=baseline)
        return seen, state
