"""Who holds what, and which missions must be judged this time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from swarm.core.decision import Standing
from swarm.core.ids import MissionId
from swarm.core.policy import overlap
from swarm.core.snapshot import Mission


def path_resources(mission: Mission) -> frozenset[str]:
    """What a mission writes to until it has landed."""
    return overlap.resources(mission.repo, mission.contract.allowed_paths)


class Holds:
    """The resources of all open missions while one tick judges some of them, oldest first.

    Built from the standings of missions that need no judging; `update` keeps it true while
    the others are judged. A mission that waits for a resource is judged when it is free.
    """

    def __init__(self, missions: Sequence[Mission], epoch: str) -> None:
        self.held: dict[str, MissionId] = {}
        self._missions = sorted(missions, key=lambda mission: (mission.opened_at, mission.id))
        self._epoch = epoch
        self._standings: dict[MissionId, Standing] = {}
        for mission in self._missions:
            if mission.standing is not None:
                self._standings[mission.id] = mission.standing
                for resource in mission.standing.holds:
                    self.held.setdefault(resource, mission.id)

    @classmethod
    def of(cls, missions: Sequence[Mission], epoch: str) -> Holds:
        """The holds before anything is judged."""
        return cls(missions, epoch)

    @property
    def standings(self) -> list[Standing]:
        """The newest standing of every mission that is still open."""
        return list(self._standings.values())

    def to_judge(self, now: datetime) -> Iterator[Mission]:
        """Missions whose inputs moved, oldest first; then those whose resource came free."""
        waiting: list[Mission] = []
        for mission in self._missions:
            if self._moved(mission, now):
                yield mission
            elif mission.standing is not None and mission.standing.blocked_on is not None:
                waiting.append(mission)
        for mission in waiting:
            standing = mission.standing
            if standing is not None and standing.blocked_on not in self.held:
                yield mission

    def update(self, mission: Mission, standing: Standing, *, ended: bool) -> None:
        """Take over what a judged mission holds now; an ended one holds nothing."""
        for resource in [name for name, owner in self.held.items() if owner == mission.id]:
            del self.held[resource]
        if ended:
            self._standings.pop(mission.id, None)
            return
        self._standings[mission.id] = standing
        for resource in standing.holds:
            self.held.setdefault(resource, mission.id)

    def _moved(self, mission: Mission, now: datetime) -> bool:
        standing = mission.standing
        return (
            standing is None
            or standing.version != mission.version
            or standing.epoch != self._epoch
            or (standing.look_again is not None and standing.look_again <= now)
        )
