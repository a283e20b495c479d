"""The distribution of studentised means under "no trial is better than its baseline".

Circular blocks of one length. Each resample is studentised by its own variance: dividing all by
one fixed standard error rejects a true null 7 to 12 times in a hundred where 5 are meant.
All resamples together are two matrix products, which is where nearly all of the time goes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from swarm.regime.nouns import FloatArray
from swarm.regime.snooping.draws import Draws

DEGENERATE = 1e-10
"""A long-run variance below this part of the plain one is rounding, not a variance."""
CONSTANT = 1e-24
"""A variance below this part of the greatest square is that of a constant, badly rounded."""
_SLICE = 16_777_216
"""Numbers of one slice of resamples (128 MB): the whole would not fit for 5,000 trials."""
_CACHED = 16_384
"""Numbers worked on at once after the products, so that they stay in the nearer caches."""


class Studentised(NamedTuple):
    """What resampling found.

    t:       shape (K,), sqrt(n) mean / long-run deviation; NaN for a degenerate trial.
    usable:  shape (K,), False where a trial does not vary and so cannot be tested.
    resamples: shape (B, K), the same statistic of each resample, centred at nothing; -inf where a
             trial is not usable, so that it never is the greatest.
    """

    t: FloatArray
    usable: np.ndarray[tuple[int], np.dtype[np.bool_]]
    resamples: FloatArray


def studentise(excess: FloatArray, block: int, resamples: int, draws: Draws) -> Studentised:
    """Resample `excess`, shape (n, K), in circular blocks of `block` rows, `resamples` times.

    Cost: 4 B n K operations in two matrix products and O(nK + BK) besides;
    memory 8 (nK + BK) bytes and a slice.
    """
    n = len(excess)
    # In units of its own greatest value, so that no trial's squares can over- or underflow.
    greatest = np.abs(excess).max(axis=0)
    excess = excess / np.where(greatest > 0.0, greatest, 1.0)
    centred = excess - excess.mean(axis=0)
    sums = _block_sums(centred, block)
    squares = sums * sums
    long_run = squares.mean(axis=0) / block / (1.0 - block / n)
    plain = np.einsum("nk,nk->k", centred, centred) / n
    usable = (plain > CONSTANT) & (long_run > DEGENERATE * plain)
    deviation = np.sqrt(np.where(usable, long_run, 1.0))
    t = np.where(usable, np.sqrt(n) * excess.mean(axis=0) / deviation, np.nan)
    z = np.empty((resamples, excess.shape[1]))
    step = max(1, _SLICE // max(n, excess.shape[1]))
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        chosen = _count_starts(n, n // block, count, draws)
        _studentise_slice(chosen, sums, squares, n // block, z[start : start + count])
    z[:, ~usable] = -np.inf
    return Studentised(t, usable, z)


def _block_sums(centred: FloatArray, block: int) -> FloatArray:
    """Row j is the sum of rows j to j + block - 1, wrapping at the end."""
    n = len(centred)
    # Over running totals, wrapped: O(nK) whatever the block's length.
    running = np.zeros((n + block, centred.shape[1]))
    np.cumsum(centred, axis=0, out=running[1 : n + 1])
    if block > 1:
        np.add(running[n], running[1:block], out=running[n + 1 :])
    return running[block:] - running[:n]


def _count_starts(n: int, blocks: int, resamples: int, draws: Draws) -> FloatArray:
    """How often each resample's blocks begin at each row, shape (resamples, n)."""
    starts = draws.below(n, resamples * blocks)
    starts += np.repeat(np.arange(resamples), blocks) * n
    counted = np.bincount(starts, minlength=resamples * n)
    return counted.reshape(resamples, n).astype(np.float64)


def _studentise_slice(
    chosen: FloatArray, sums: FloatArray, squares: FloatArray, blocks: int, out: FloatArray
) -> None:
    """Z = sqrt(ml) M / sqrt(V), with M and V the mean and long-run variance of each resample.

    In the sums P of m block sums and Q of their squares that is P / sqrt(q - P^2 / (m - 1)) with
    q = Q m / (m - 1), whatever the length of a block.
    """
    totals = np.matmul(chosen, sums, out=out)
    rests = chosen @ squares
    # A resample of one block again and again has no variance; then Z is huge with the sign of the
    # mean, which can only make the test more careful.
    floor = np.finfo(float).tiny
    step = max(1, _CACHED // totals.shape[1])
    for start in range(0, len(totals), step):
        total, rest = totals[start : start + step], rests[start : start + step]
        rest *= blocks / (blocks - 1)
        rest -= total * total / (blocks - 1)
        np.maximum(rest, floor, out=rest)
        np.sqrt(rest, out=rest)
        total /= rest
