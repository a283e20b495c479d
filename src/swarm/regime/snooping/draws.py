"""Random numbers that are a function of their key: nothing is drawn, nothing is remembered.

Philox 4x32 with ten rounds, a counter-based generator: block i of a key is computed from i alone,
so two machines resample alike, and a look can be repeated years later.

Source: Salmon, Moraes, Dror, Shaw 2011, doi:10.1145/2063384.2063405, section 3.3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swarm.regime.nouns import FloatArray

Words = NDArray[np.uint64]
"""Each holds 32 bits; the upper half is room for products."""

ROUNDS: Final = 10
_AT_ONCE: Final = 4_096  #: blocks, so that all ten rounds stay in the nearest cache
_LOW: Final = np.uint64(0xFFFFFFFF)
_SHIFT: Final = np.uint64(32)
_MULTIPLIERS: Final = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL: Final = (0x9E3779B9, 0xBB67AE85)


def philox(counter: Sequence[Words], key: tuple[int, int]) -> tuple[Words, Words, Words, Words]:
    """The four random words of each counter, each below 2**32.

    counter: four arrays of one shape, its words, each below 2**32.
    key:     two words below 2**32.
    """
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        first, second = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = (
            (second >> _SHIFT) ^ b ^ np.uint64(k0),
            second & _LOW,
            (first >> _SHIFT) ^ d ^ np.uint64(k1),
            first & _LOW,
        )
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return a, b, c, d


class Draws:
    """A stream of draws named by what it is for, such as (hash of the trials, number of the look).

    Equal names give equal draws. `words` continues where the last call ended.
    """

    def __init__(self, *name: str | int) -> None:
        digest = hashlib.sha256("\x00".join(str(part) for part in name).encode()).digest()
        self._key = (int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little"))
        self._nonce = np.frombuffer(digest[8:16], dtype="<u4").astype(np.uint64)
        self._block = 0

    def words(self, count: int) -> Words:
        """The next `count` words, each below 2**32; a begun block of four is not kept."""
        blocks = -(-count // 4)
        found = np.empty((4, blocks), dtype=np.uint64)
        for first in range(0, blocks, _AT_ONCE):
            numbers = np.arange(first, min(first + _AT_ONCE, blocks), dtype=np.uint64)
            numbers += np.uint64(self._block)
            nonce = (np.full_like(numbers, word) for word in self._nonce)
            counter = (numbers & _LOW, numbers >> _SHIFT, *nonce)
            found[:, first : first + len(numbers)] = philox(counter, self._key)
        self._block += blocks
        return found.T.reshape(-1)[:count]

    def below(self, bound: int, count: int) -> NDArray[np.int64]:
        """Whole numbers from 0 to bound - 1, shape (count,).

        Multiply and shift without rejection: a number is favoured by at most bound / 2**32, which
        for 5,000 rows is a millionth, far below what any resampling can show.
        """
        return ((self.words(count) * np.uint64(bound)) >> _SHIFT).astype(np.int64)

    def uniform(self, count: int) -> FloatArray:
        """Numbers in [0, 1), shape (count,), in steps of 2**-32."""
        return self.words(count).astype(np.float64) * 2.0**-32
