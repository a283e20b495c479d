"""Who holds what, and which missions must be judged this time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from operator import attrgetter

from swarm.core.decision import OpenMission, Standing
from swarm.core.ids import MissionId
from swarm.core.nouns import MissionKind
from swarm.core.policy import overlap
from swarm.core.saying import View, lane_of
from swarm.core.snapshot import Mission, Snapshot


def path_resources(mission: Mission) -> frozenset[str]:
    """What a mission writes to until it has landed; a requalification writes nothing."""
    if mission.kind is MissionKind.REQUALIFY:
        return frozenset()
    return overlap.resources(mission.repo, mission.contract.allowed_paths)


class Holds:
    """The resources of all open missions while one tick judges some of them, oldest first.

    Built from the standings of missions that need no judging; `update` keeps it true while
    the others are judged. What comes free goes to the oldest mission that waits for it, so that
    nobody who came later takes it on the way; that mission is judged in the same tick.
    """

    def __init__(self, missions: Sequence[Mission], epoch: str) -> None:
        self.held: dict[str, MissionId] = {}
        self.occupied = overlap.Occupied(self.held)
        self._missions = sorted(missions, key=attrgetter("opened_at", "id"))
        self._epoch = epoch
        self._standings: dict[MissionId, Standing] = {}
        self._claims: dict[str, list[MissionId]] = {}
        self._waiting: dict[str, deque[MissionId]] = {}
        self._judged: set[MissionId] = set()
        self._assumed: dict[MissionId, frozenset[str]] = {}
        self._heirs: dict[MissionId, str] = {}
        self._blocked: dict[str | None, list[MissionId]] = {}
        self._read()
        for resource in self._waiting:
            if resource not in self.held:
                self._pass_on(resource)

    def _read(self) -> None:
        """Take over all standings: ten thousand at each tick, so without a call for each."""
        held, standings, waiting = self.held, self._standings, self._waiting
        for mission in self._missions:
            id_ = mission.id
            if (standing := mission.standing) is None:
                self._assume(mission)
                continue
            standings[id_] = standing
            for resource in standing.holds:
                if held.setdefault(resource, id_) != id_:
                    self._take(resource, id_)
            if (wanted := standing.blocked_on) is not None:
                if wanted in waiting:
                    waiting[wanted].append(id_)
                else:
                    waiting[wanted] = deque((id_,))

    @property
    def standings(self) -> Iterable[Standing]:
        """The newest standing of every mission that is still open."""
        return self._standings.values()

    @property
    def unheard(self) -> bool:
        """True when something came free for a mission too late to judge it in this tick."""
        return bool(self._heirs)

    def _assume(self, mission: Mission) -> None:
        """Nobody said yet where it stands; but work that is under way holds its lane."""
        runs = (order.key for order in mission.orders if order.kind == "start-run")
        lanes = frozenset(lane_of(int(key.rpartition("/")[2])) for key in runs)
        self._assumed[mission.id] = lanes
        for lane in lanes:
            self._take(lane, mission.id)

    def view(self, snapshot: Snapshot) -> View:
        """What a room may read while one mission is judged."""
        return View(snapshot=snapshot, held=self.held, occupied=self.occupied, elder=self.elder)

    def to_judge(self, now: datetime) -> Iterator[Mission]:
        """Missions whose inputs moved, oldest first; then those whose resource came free."""
        waiting: list[tuple[Mission, str]] = []
        epoch = self._epoch
        for mission in self._missions:
            standing = mission.standing
            if (
                standing is None
                or standing.version != mission.version
                or standing.epoch != epoch
                or ((again := standing.look_again) is not None and again <= now)
            ):
                yield mission
            elif (wanted := standing.blocked_on) is not None:
                waiting.append((mission, wanted))
        for mission, resource in waiting:
            if self.held.get(resource) in {None, mission.id}:
                yield mission

    def update(self, mission: Mission, standing: Standing | None) -> None:
        """Take over where a judged mission stands now; None: it ended and holds nothing."""
        self._judged.add(mission.id)
        self._heirs.pop(mission.id, None)
        before = self._standings.pop(mission.id, None)
        holds = frozenset[str]() if standing is None else standing.holds
        for resource in holds:
            self._take(resource, mission.id)
        if before is not None:
            self._leave(mission.id, before, holds)
        for lane in self._assumed.pop(mission.id, frozenset()) - holds:
            if self.held.get(lane) == mission.id:
                self._pass_on(lane)
        if standing is not None:
            self._standings[mission.id] = standing
            self._blocked.setdefault(standing.blocked_on, []).append(mission.id)

    def expect(self, opened: OpenMission) -> None:
        """Count the paths of a mission that this very tick opens."""
        if opened.kind is MissionKind.REQUALIFY:
            return
        for resource in overlap.resources(opened.repo, opened.contract.allowed_paths):
            self._take(resource, opened.id)

    def _take(self, resource: str, mission: MissionId) -> None:
        if self.held.setdefault(resource, mission) == mission:
            self.occupied.took(resource)
            return
        claims = self._claims.setdefault(resource, [])
        if mission not in claims:  # rare: a repair writes where its parent's rival does
            claims.append(mission)

    def _leave(self, mission: MissionId, before: Standing, holds: frozenset[str]) -> None:
        wanted = before.blocked_on
        given_up = before.holds if wanted is None else before.holds | {wanted}
        for resource in given_up - holds:
            if mission in self._claims.get(resource, ()):
                self._claims[resource].remove(mission)
            if self.held.get(resource) == mission:
                self._pass_on(resource)

    def _pass_on(self, resource: str) -> None:
        """To the next that holds it as well, else to the oldest that waits for it."""
        if claims := self._claims.get(resource):
            self.held[resource] = claims.pop(0)
            return
        waiting = self._waiting.get(resource, deque())
        while waiting and waiting[0] in self._judged:
            waiting.popleft()
        first = [line[0] for line in (waiting, self._blocked.get(resource)) if line]
        if not first:
            self.held.pop(resource, None)
            return
        heir = first[0] if len(first) == 1 else min(first, key=self._ages.__getitem__)
        self.held[resource] = heir
        self._heirs[heir] = resource

    def elder(self, one: MissionId, other: MissionId) -> bool:
        """True when `one` was opened before `other`; what this tick opens is nobody's elder."""
        ages = self._ages
        return one in ages and ages[one] < ages[other]

    @cached_property
    def _ages(self) -> dict[MissionId, int]:
        return {mission.id: age for age, mission in enumerate(self._missions)}
