"""How a paper venue behaves, as data: the same rules and requests give the same reports."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRules:
    """Chances are parts per million, and keyed: whether an order is lost depends on its id alone.

    seed:        of every chance.
    latency_ns:  from sending to arriving; up to jitter_ns more.
    reject_ppm:  orders that the venue refuses for no reason of ours.
    lost_ppm:    requests that never arrive; the sender hears Unreachable.
    unheard_ppm: requests that arrive although the sender hears Unreachable.
    outages:     (from, to) in nanoseconds: nobody is heard or answered.
    """

    seed: int = 0
    latency_ns: int = 0
    jitter_ns: int = 0
    reject_ppm: int = 0
    lost_ppm: int = 0
    unheard_ppm: int = 0
    outages: tuple[tuple[int, int], ...] = ()

    def out(self, now_ns: int) -> bool:
        """Whether nobody can reach the venue at this time."""
        return any(begun <= now_ns < ended for begun, ended in self.outages)

    def chance(self, what: str, key: str) -> int:
        """A number from 0 to 999,999, always the same one for this key."""
        digest = hashlib.sha256(f"{self.seed}\0{what}\0{key}".encode()).digest()
        return int.from_bytes(digest[:8]) % MILLION

    def arrival(self, key: str, now_ns: int) -> int:
        """When a request that is sent now arrives."""
        jitter = self.chance("jitter", key) * self.jitter_ns // MILLION
        return now_ns + self.latency_ns + jitter
