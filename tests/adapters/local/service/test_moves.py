"""What a target takes, by what it has seen."""

import pytest

from swarm.adapters.local.service import state
from swarm.adapters.local.service.errors import TargetLocked
from swarm.adapters.local.service.front import Front
from swarm.adapters.local.service.moves import Moves, Parts
from swarm.adapters.local.service.settings import ServiceSettings
from swarm.adapters.local.service.state import Target
from swarm.adapters.local.service.versions import Versions


@pytest.fixture
def moves(tmp_path):
    """A target that carried orders out under the fences 5 and 3."""
    settings = ServiceSettings(name="orders", port=1, run=("true",))
    seen = (
        Target().remembering("m-1/traffic", "10", fence=5).remembering("m-1/abort", "{}", fence=3)
    )
    state.write(tmp_path, seen)
    front = Front(tmp_path, settings.port, 1.0)
    versions = Versions(settings, tmp_path)
    return Moves(Parts(settings=settings, folder=tmp_path, versions=versions, front=front))


@pytest.mark.req("OWN-4")
@pytest.mark.parametrize(("fence", "late"), [(4, True), (5, False), (6, False), (0, False)])
def test_a_step_forward_under_an_older_fence_than_the_newest_is_late(moves, fence, late):
    """The newest is kept over a restart. Whoever claims nothing is never late."""
    if not late:
        moves.admit(fence)
        return
    with pytest.raises(
        TargetLocked, match="orders has carried out an order that was claimed later"
    ):
        moves.admit(fence)
