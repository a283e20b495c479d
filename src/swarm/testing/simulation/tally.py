"""What trials came to, in sums: small enough to be sent between processes and kept in a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from swarm.testing.simulation import marks
from swarm.testing.simulation.cast import size
from swarm.testing.simulation.simulation import DAY, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """What one trial came to.

    days: that its world lived.    swarm_days: the same for each swarm in it.    cpu: seconds.
    """

    seed: int
    days: float
    swarm_days: float
    digest: str
    broken: tuple[str, ...]
    counts: Mapping[str, int]
    effects: int
    cpu: float

    def plain(self) -> dict[str, Any]:
        """As JSON has it; `from_plain` takes it back."""
        return asdict(self)

    @classmethod
    def from_plain(cls, told: Mapping[str, Any]) -> Sum:
        """From what `plain` gave. Raises TypeError or KeyError for anything else."""
        return cls(**{**told, "broken": tuple(told["broken"])})


def summed(result: Result, cpu: float) -> Sum:
    """The sum of one result that took so many seconds of a processor."""
    days = result.trial.lasts / DAY
    return Sum(
        seed=result.trial.seed,
        days=days,
        swarm_days=days * size(result.trial.seed).swarms,
        digest=result.digest,
        broken=result.what(),
        counts={name: count for name, count in marks.met(result).items() if count},
        effects=len(result.history.effects),
        cpu=cpu,
    )


@dataclass(slots=True, kw_only=True)
class Tally:
    """The sum of many. failed: the first broken promise of each seed that broke one."""

    worlds: int = 0
    days: float = 0.0
    swarm_days: float = 0.0
    effects: int = 0
    cpu: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    failed: dict[int, str] = field(default_factory=dict)

    def add(self, one: Sum) -> None:
        """Count one more trial in."""
        self.worlds += 1
        self.days += one.days
        self.swarm_days += one.swarm_days
        self.effects += one.effects
        self.cpu += one.cpu
        self.counts.update(one.counts)
        if one.broken:
            self.failed[one.seed] = one.broken[0]

    @property
    def faults(self) -> dict[str, int]:
        """Injected faults by kind, the most frequent first."""
        kinds = {name: n for name, n in self.counts.items() if name.startswith("fault ")}
        ordered = sorted(kinds.items(), key=lambda item: -item[1])
        return {name.removeprefix("fault "): n for name, n in ordered}
