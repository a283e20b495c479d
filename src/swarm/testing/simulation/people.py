"""A simulated person: answers, freezes, resumes, cancels, changes the policy, looks in shadow."""

from __future__ import annotations

from datetime import timedelta

from swarm.contract.choices import Mode
from swarm.contract.swarm import SwarmSpec
from swarm.core.evidence import PersonSaid
from swarm.core.ids import freeze_id
from swarm.core.nouns import Freeze
from swarm.core.policy.freeze import EVERYTHING, checklist
from swarm.core.reasons import Reason
from swarm.testing.paper import PaperStore, said
from swarm.testing.simulation.chance import Chance, Fault
from swarm.testing.simulation.scene import (
    CLASSES,
    STAGES,
    STEPS,
    Scene,
    delivery,
    execution,
    switched_off,
)

OFTEN = ("freeze", "freeze", "resume", "shadow", "policy", "policy", "word", "word", "word")
WORDS = ("cancel", "reject", "retry", "promote", "rollback")
STAGES_OFF = (*STAGES, *("",) * 12)  #: one of them with each fourth policy; mostly none
UNDECIDED = ("promote", "rollback")


class Person:
    """The owner of one swarm. Everything that he does is one transaction of the store."""

    def __init__(self, scene: Scene, chance: Chance) -> None:
        self._scene, self._chance = scene, chance

    def act(self, paper: PaperStore, turn: int, rate: float) -> str:
        """Answer what is asked; sometimes do something that nobody asked for. What was done."""
        point = f"person-{self._scene.name}.{turn}"
        answered = self._answer(paper, point)
        if not self._chance.happens(point, Fault.PERSON, rate):
            return answered
        deed = self._chance.choice(f"{point}/deed", OFTEN)
        match deed:
            case "freeze":
                self._freeze(paper, point)
            case "resume":
                self._resume(paper)
            case "shadow":
                paper.change(shadow=not paper.world.shadow)
            case "policy":
                self._policy(paper, point)
            case _:
                deed = self._word(paper, point)
        return f"{answered} {deed}".strip()

    def interfere(self, paper: PaperStore, point: str, rate: float) -> str:
        """At the worst moment, when an order was just claimed: freeze, or change the policy."""
        if not self._chance.happens(point, Fault.PERSON, rate):
            return ""
        deed = self._chance.choice(f"{point}/deed", ("freeze", "policy", "shadow"))
        match deed:
            case "freeze":
                self._freeze(paper, point)
            case "policy":
                self._policy(paper, point)
            case _:
                paper.change(shadow=not paper.world.shadow)
        return deed

    def settle_down(self, paper: PaperStore) -> bool:
        """After the trouble: no more shadow, open-ended freezes resumed, everything answered.

        Whether there was anything to do.
        """
        did = [paper.world.shadow]
        if paper.world.shadow:
            paper.change(shadow=False)
        did.append(bool(switched_off(paper.world.spec)))
        if did[-1]:
            self._apply(paper, execution=None)
        did.append(self._resume(paper, endless=True))
        for id_, asked in list(paper.questions.items()):
            if asked.state == "open":
                paper.answer(id_, granted=True)
                did.append(True)
        return any((*did, *self._decide(paper)))

    def _decide(self, paper: PaperStore) -> list[str]:
        """Say what becomes of rollouts that nothing decides: in assisted mode a person has to."""
        told = []
        for id_, mission in list(paper.missions.items()):
            stands = mission.standing
            if stands is None or stands.reason != Reason.CANARY_UNDECIDED:
                continue
            words = [fact for fact in mission.facts if isinstance(fact, PersonSaid)]
            if not any(fact.at >= stands.since for fact in words if fact.said in UNDECIDED):
                word = self._chance.choice(f"{id_}/undecided/{len(words)}", UNDECIDED)
                paper.say(id_, said(id_, word, paper.now))
                told.append(word)
        return told

    def _answer(self, paper: PaperStore, point: str) -> str:
        answers = []
        for id_, asked in list(paper.questions.items()):
            if asked.state != "open":
                continue
            mood = self._chance.number(f"{point}/{id_}")
            if mood < 0.6 or self._chance.calm:  # noqa: PLR2004 - mostly he says yes
                paper.answer(id_, granted=True)
                answers.append("yes")
            elif mood < 0.7:  # noqa: PLR2004 - sometimes no, else he lets it wait
                paper.answer(id_, granted=False)
                answers.append("no")
        if self._chance.number(f"{point}/undecided") < 0.5:  # noqa: PLR2004 - or lets it wait
            answers += self._decide(paper)
        return " ".join(answers)

    def _freeze(self, paper: PaperStore, point: str) -> None:
        scope = self._chance.choice(f"{point}/scope", (EVERYTHING, *CLASSES))
        lasts = self._chance.choice(f"{point}/lasts", (10, 30, 90, None))
        until = None if lasts is None else paper.now + timedelta(minutes=lasts)
        hold = Freeze(
            id=freeze_id(paper.world.swarm, scope, point),
            mission_class=scope,
            reason="Person",
            detail="hold on",
            cause="alice",
            since=paper.now,
            until=until,
            by="alice",
        )
        paper.freeze(hold)

    def _resume(self, paper: PaperStore, *, endless: bool = False) -> bool:
        """Lift what is ready; with `endless` only what nobody else lifts. Whether there was any."""
        did = False
        for hold in paper.world.freezes:
            ready = all(item.done for item in checklist(hold, paper.now, paper.world.resuming))
            if ready and not (endless and hold.until is not None):
                paper.lift(hold.id, "alice")
                paper.woken = did = True
        return did

    def _policy(self, paper: PaperStore, point: str) -> None:
        before = paper.world.spec
        targets = before.delivery.deployment_targets
        extra = self._chance.number(f"{point}/extra") < 0.3  # noqa: PLR2004
        checks = ("lint", "unit-tests", "extra") if extra else ("lint", "unit-tests")
        steps = self._chance.choice(f"{point}/steps", STEPS)
        mode = self._chance.choice(f"{point}/mode", (Mode.ASSISTED, Mode.LIGHTS_OUT))
        told = delivery(self._scene.repo, targets, checks=checks, steps=steps)
        stages = execution(self._chance.choice(f"{point}/off", STAGES_OFF))
        self._apply(paper, **{"mode": str(mode), "delivery": told, "execution": None, **stages})

    def _apply(self, paper: PaperStore, **changed: object) -> None:
        spec = paper.world.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        paper.change(
            spec=SwarmSpec.model_validate(spec | changed), generation=paper.world.generation + 1
        )

    def _word(self, paper: PaperStore, point: str) -> str:
        open_ = sorted(paper.missions)
        if not open_:
            return ""
        mission = self._chance.choice(f"{point}/mission", open_)
        word = self._chance.choice(f"{point}/word", WORDS)
        paper.say(mission, said(mission, word, paper.now))
        return word
