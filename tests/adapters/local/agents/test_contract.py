import pytest

from swarm.testing.contracts.runs import RunsContract


@pytest.mark.fast(
    "test_a_provider_without_capacity_is_no_result", "change-changed", "hostile-refused"
)
class TestLocalRuns(RunsContract):
    pass
