"""What the filter needs of each state, worked out once, with the same bits everywhere."""

from __future__ import annotations

import numpy as np

from swarm.regime.elementary import dlgamma, dlog
from swarm.regime.nouns import FloatArray

# The columns of one state's row. The lag coefficients follow, nearest lag first.
CONSTANT = 0  # log density at the middle
INTERCEPT = 1
PER_SCALE = 2
POWER = 3  # (nu + 1) / 2; 1/2 when Gaussian
PER_NU = 4  # 1 / nu; 0 when Gaussian
RESTING = 5  # long-run share
COLUMNS = 6

LN_PI = 1.1447298858494002
LN_2PI = 1.8378770664093453


def emission_table(
    intercept: FloatArray, ar: FloatArray, scale: FloatArray, nu: FloatArray, resting: FloatArray
) -> FloatArray:
    """One row for each state, shape (K, COLUMNS + p)."""
    count, lags = ar.shape
    table = np.empty((count, COLUMNS + lags))
    for k in range(count):
        freedom = float(nu[k])
        if np.isinf(freedom):
            constant, power, per_nu = -0.5 * LN_2PI, 0.5, 0.0
        else:
            constant = dlgamma((freedom + 1) / 2) - dlgamma(freedom / 2)
            constant -= 0.5 * (dlog(freedom) + LN_PI)
            power, per_nu = (freedom + 1) / 2, 1 / freedom
        width = float(scale[k])
        row = (constant - dlog(width), intercept[k], 1 / width, power, per_nu, resting[k])
        table[k] = (*row, *ar[k])
    table.setflags(write=False)
    return table
