"""Exponentials, logarithms and sums that give the same bits on every machine.

Those of numpy and of the C library do not: their last bits differ between machines with and without
AVX-512 or fused multiply-add, and between versions. These are made of IEEE + - * / and integer
operations in one fixed order, so a replay elsewhere gives the same state, to the bit. They have
no branches, so that a compiler can run a loop over them in vector registers.

The coefficients are Chebyshev interpolations in 60-digit arithmetic; reduction and reconstruction
follow Tang 1989 and 1990 (ACM TOMS 15 and 16). Every bound below is held by a test.
"""

from __future__ import annotations

import numpy as np

from swarm.regime.kernel import inner

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

_LN2_HIGH = 6.931471803691238e-01  # the first 32 bits, so that its product with k is exact
_LN2_LOW = 1.9082149292705877e-10
_PER_LN2 = 1.4426950408889634
#: Adding and subtracting it rounds to an integer, which then stands in the low bits of the sum.
_SHIFT = 6755399441055744.0
_SHIFT_BITS = 0x4338000000000000
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
_EXPONENT_MASK = -(1 << 52)
_TWO_54 = 18014398509481984.0
_LEAST_NORMAL = 2.2250738585072014e-308
#: Where `dexp` gives 0, and where the largest double is left behind.
_LEAST, _MOST = -707.0, 709.782712893384
_HALF_LN_2PI = 0.9189385332046728
_STIRLING_FROM = 10.0


@inner
def dexp(x: float) -> float:
    """E to the x: at most 1.1 ulp off; exactly 0 below -707, infinite above 709.78, NaN of NaN.

    Below -707 it would soon leave the normal numbers, where it is rounded twice; nothing here
    needs to tell 1e-307 from nothing.
    """
    r, half_power = _exp_parts(min(max(x, _LEAST), 709.79))
    value = _exp_series(r) * half_power * 2.0
    value = 0.0 if x < _LEAST else value
    value = np.inf if x > _MOST else value
    return value if x == x else x  # noqa: PLR0124 - only NaN differs from itself


@inner
def dlog(x: float) -> float:
    """The natural logarithm: less than 1 ulp off; -inf of 0, NaN below it and of NaN."""
    tiny = x < _LEAST_NORMAL
    k, f = _log_parts(x * _TWO_54 if tiny else x)
    s = f / (2.0 + f)
    value = _log_joined(k - 54.0 if tiny else k, f, s, _log_series(s * s))
    value = -np.inf if x == 0.0 else value
    value = np.nan if x < 0.0 else value
    return value if x < np.inf else x  # infinity and NaN are their own logarithms


@inner
def exp_row(values: Array, count: int, out: Array, spare: Array) -> None:
    """`dexp` of the first `count` values, none above 0: the same bits in 60 % of the time.

    A processor has some sixty instructions in flight, one vector's worth of `dexp`, and waits for
    the last of them; in two short loops it works on several vectors at once.
    """
    for i in range(count):
        out[i], spare[i] = _exp_parts(max(values[i], _LEAST))
    for i in range(count):
        value = _exp_series(out[i]) * spare[i] * 2.0
        out[i] = value if values[i] >= _LEAST else 0.0


@inner
def log_row(values: Array, count: int, out: Array, spare: Array, more: Array) -> None:
    """`dlog` of the first `count` values, all positive normal numbers, in half the time."""
    for i in range(count):
        spare[i], more[i] = _log_parts(values[i])
    for i in range(count):
        out[i] = more[i] / (2.0 + more[i])
    _log_rest(out, spare, more, count)


@inner
def _log_rest(out: Array, k: Array, f: Array, count: int) -> None:
    """The end of `log_row`; out holds s, and then the logarithms."""
    for i in range(count):
        out[i] = _log_joined(k[i], f[i], out[i], _log_series(out[i] * out[i]))


@inner
def _exp_parts(x: float) -> tuple[float, float]:
    """R and 2**(k - 1) so that x = k log 2 + r; not 2**k, because 2**1024 is no number."""
    shifted = x * _PER_LN2 + _SHIFT
    k = shifted - _SHIFT
    bits = np.float64(shifted).view(np.int64) - _SHIFT_BITS
    power: float = np.int64((bits + 1022) << 52).view(np.float64)
    return (x - k * _LN2_HIGH) - k * _LN2_LOW, power


@inner
def _exp_series(r: float) -> float:
    """E to the r for |r| <= log(2)/2."""
    r2 = r * r
    r4 = r2 * r2
    low = (0.5000000000000001 + r * 0.16666666666666669) + r2 * (
        0.04166666666662413 + r * 0.008333333333330062
    )
    mid = (0.0013888888917213717 + r * 0.00019841269863053618) + r2 * (
        2.4801521295954376e-05 + r * 2.7557268459997064e-06
    )
    top = 2.7620088445409746e-07 + r * 2.510038549551032e-08
    return 1.0 + (r + r2 * (low + r4 * (mid + r4 * top)))


@inner
def _log_parts(x: float) -> tuple[float, float]:
    """K and f so that x = 2**k (1 + f), with 1 + f from sqrt(1/2) to sqrt(2)."""
    bits = np.float64(x).view(np.int64)
    above = bits - _SQRT_HALF_BITS
    k: float = np.int64((above >> 52) + _SHIFT_BITS).view(np.float64) - _SHIFT
    return k, np.int64(bits - (above & _EXPONENT_MASK)).view(np.float64) - 1.0


@inner
def _log_series(z: float) -> float:
    """(2 artanh(s) - 2 s) / s with z = s s, for s = f / (2 + f)."""
    z2 = z * z
    low = 0.666666666666667 + z * 0.39999999999899444
    mid = 0.2857142862600327 + z * 0.22222211130259878
    top = (0.18182889455674947 + z * 0.15331710618210773) + z2 * 0.14616585424888623
    return z * (low + z2 * (mid + z2 * top))


@inner
def _log_joined(k: float, f: float, s: float, rest: float) -> float:
    """K log 2 + log(1 + f), the small parts first."""
    half = 0.5 * f * f
    return k * _LN2_HIGH - ((half - (s * (half + rest) + k * _LN2_LOW)) - f)


@inner
def dlog1p(x: float) -> float:
    """log(1 + x) with the relative precision kept near 0: less than 3 ulp off; x above -1."""
    one = 1.0 + x
    if one in (1.0, np.inf):
        return x
    return dlog(one) + (x - (one - 1.0)) / one


@inner
def logistic(x: float) -> float:
    """1/(1 + e**-x), from 0 to 1; never overflows."""
    small = dexp(-abs(x))
    return 1.0 / (1.0 + small) if x >= 0.0 else small / (1.0 + small)


@inner
def dlgamma(x: float) -> float:
    """Log of the gamma function for x > 0: at most 1e-14 of max(1, value) off.

    Source: Stirling's series, Abramowitz and Stegun 6.1.41, after shifting x to ten or more.
    """
    shifted, product = x, 1.0
    while shifted < _STIRLING_FROM:
        product *= shifted
        shifted += 1.0
    u = 1.0 / shifted
    u2 = u * u
    tail = 1 / 1260 - u2 * (1 / 1680 - u2 * (1 / 1188 - u2 * (691 / 360360 - u2 / 156)))
    series = u * (1 / 12 - u2 * (1 / 360 - u2 * tail))
    return (shifted - 0.5) * dlog(shifted) - shifted + _HALF_LN_2PI + series - dlog(product)


@inner
def lane_sum(values: Array, count: int) -> float:
    """The sum of the first `count` values in eight lanes: one order everywhere, and quick."""
    a = b = c = d = e = f = g = h = 0.0
    whole = count - count % 8
    for i in range(0, whole, 8):
        a += values[i]
        b += values[i + 1]
        c += values[i + 2]
        d += values[i + 3]
        e += values[i + 4]
        f += values[i + 5]
        g += values[i + 6]
        h += values[i + 7]
    rest = 0.0
    for i in range(whole, count):
        rest += values[i]
    return (((a + e) + (b + f)) + ((c + g) + (d + h))) + rest
