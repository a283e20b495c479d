"""Whether the canary receives the share of traffic it was given.

A wrong split means that the counts do not describe what was asked, so nothing passes on them;
a canary that receives nothing at all while the stable arm is busy has failed.

Two processes over the windows of one weight, both with a stated error probability:

- a multinomial e-process: the likelihood of the split under a Dirichlet prior centred on the
  weight, against the weight itself (two arms, so Beta against binomial);
- for silence, the likelihood ratio of "nothing arrives" against the weight, over the requests
  since the canary last answered one. It also sees a canary that was served and then cut off.

Source: Lindon, Malek 2020, arXiv:2011.03567 (anytime-valid inference for multinomial counts).
"""

from __future__ import annotations

import math
from typing import NamedTuple

# Pseudo-requests of the prior. Ten: decided after tens of requests when the split is badly off,
# and slow to accuse a split that is a little off.
_PRIOR_REQUESTS = 10.0


class RatioTest(NamedTuple):
    """Traffic of both arms at one weight.

    weight: the canary's configured share, in (0, 1).
    canary, stable: requests since the weight was set.
    silence: stable requests since the canary last received one.
    """

    weight: float
    canary: float = 0.0
    stable: float = 0.0
    silence: float = 0.0

    @property
    def share(self) -> float:
        """Observed share of the canary; 0 without traffic."""
        total = self.canary + self.stable
        return self.canary / total if total else 0.0


def add(test: RatioTest, canary: float, stable: float) -> RatioTest:
    """The test after a window in which the arms received so many requests."""
    return RatioTest(
        weight=test.weight,
        canary=test.canary + canary,
        stable=test.stable + stable,
        silence=test.silence + stable if canary == 0 else 0.0,
    )


def log_evidence(test: RatioTest) -> float:
    """Log of the e-process against the configured weight."""
    a, b = test.weight * _PRIOR_REQUESTS, (1.0 - test.weight) * _PRIOR_REQUESTS
    null = test.canary * math.log(test.weight) + test.stable * math.log1p(-test.weight)
    return _log_beta(a + test.canary, b + test.stable) - _log_beta(a, b) - null


def mismatched(test: RatioTest, alpha: float, tolerance: float) -> bool:
    """Whether the split is wrong: evidence above 1/alpha, and further off than tolerated.

    tolerance: relative deviation from the weight that is never called wrong.
    """
    off = abs(test.share - test.weight) > tolerance * test.weight
    return off and log_evidence(test) >= -math.log(alpha)


def silent(test: RatioTest, alpha: float) -> bool:
    """Whether the canary receives nothing: chance below alpha under the configured weight."""
    return test.silence * math.log1p(-test.weight) <= math.log(alpha)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
