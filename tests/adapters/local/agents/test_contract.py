import pytest

from swarm.testing.contracts.runs import RunsContract


@pytest.mark.fast(
    "test_a_provider_without_capacity_is_no_result", "test_a_run_ends_in_exactly_one_way"
)
class TestLocalRuns(RunsContract):
    pass
