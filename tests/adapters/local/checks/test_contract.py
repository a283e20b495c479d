import pytest

from swarm.testing.contracts.checks import ChecksContract


@pytest.mark.fast("test_a_caller_that_gives_up_loses_nothing", "green-green", "red-red")
class TestLocalChecks(ChecksContract):
    pass
