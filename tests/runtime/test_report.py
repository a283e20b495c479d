"""What one tick wrote, as events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from swarm.core.decision import OpenFreeze, Plan
from swarm.core.ids import FreezeId, SwarmId
from swarm.core.nouns import Freeze
from swarm.ports.store import Tick
from swarm.runtime.report import Teller
from swarm.testing.builders import NOON

PLAN = Plan(orders=(), records=(), standings=(), look_again=None, idle_reason="NothingToDo")
TICK = Tick(swarm=SwarmId("s-1"), namespace="default", name="shop", at=NOON, plan=PLAN)
RECORD = OpenFreeze(
    freeze=Freeze(
        id=FreezeId("f-1"), mission_class="docs", reason="RepeatedClassFailure", detail="",
        cause="m-2", since=NOON, until=None,
    )
)  # fmt: skip


@pytest.mark.req("FRZ-1")
@pytest.mark.parametrize(
    ("tick", "told"),
    [
        pytest.param(replace(TICK, applied=(RECORD,)), ("info", "freeze.opened"), id="opened"),
        pytest.param(
            replace(TICK, refused=((RECORD, "FreezeIdTaken"),)), ("error", "freeze.refused"),
            id="refused",
        ),
    ],
)  # fmt: skip
def test_a_freeze_that_was_decided_is_told_and_that_it_does_not_hold_is_told_louder(tick, told):
    """It is not decided a second time: whoever should look after it must hear of it now."""
    with capture_logs() as logs:
        Teller().tell(tick)
    (line,) = logs
    assert (line["log_level"], line["event"], line["mission_class"]) == (*told, "docs")
