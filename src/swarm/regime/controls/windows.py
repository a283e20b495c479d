"""Counting in a sliding window, and the least and greatest price of one. O(1) on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator


class Beats:
    """The times of something that happens, never earlier than the one before."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: deque[int] = deque()

    def add(self, at_ns: int, keep_ns: int) -> None:
        """One more; what is older than keep_ns is forgotten."""
        times = self._times
        at_ns = max(at_ns, times[-1]) if times else at_ns
        while times and times[0] <= at_ns - keep_ns:
            times.popleft()
        times.append(at_ns)

    def full(self, most: int, now_ns: int, window_ns: int) -> bool:
        """Whether `most` or more lie within the window that ends now."""
        times = self._times
        return len(times) >= most and times[-most] > now_ns - window_ns


class Extremes:
    """The least and the greatest price seen in a window; two monotone queues."""

    __slots__ = ("_falling", "_rising")

    def __init__(self) -> None:
        self._rising: deque[tuple[int, int]] = deque()
        self._falling: deque[tuple[int, int]] = deque()

    def add(self, at_ns: int, price: int, keep_ns: int) -> None:
        """A price; what is older than keep_ns is forgotten."""
        for queue, sign in ((self._rising, 1), (self._falling, -1)):
            while queue and sign * queue[-1][1] >= sign * price:
                queue.pop()
            queue.append((at_ns, price))
            while queue[0][0] <= at_ns - keep_ns:
                queue.popleft()

    def range(self, now_ns: int, window_ns: int) -> tuple[int, int] | None:
        """(least, greatest) of the window that ends now; None when nothing is in it."""
        least = next(_recent(self._rising, now_ns - window_ns), None)
        greatest = next(_recent(self._falling, now_ns - window_ns), None)
        return None if least is None or greatest is None else (least, greatest)


def _recent(queue: deque[tuple[int, int]], since_ns: int) -> Iterator[int]:
    return (price for at_ns, price in queue if at_ns > since_ns)
