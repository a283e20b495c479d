import pytest

from swarm.testing.contracts.checks import ChecksContract


@pytest.mark.fast(
    "test_a_check_says_what_it_saw_on_the_exact_commit", "test_a_caller_that_gives_up_loses_nothing"
)
class TestLocalChecks(ChecksContract):
    pass
