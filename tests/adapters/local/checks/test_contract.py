from swarm.testing.contracts.checks import ChecksContract


class TestLocalChecks(ChecksContract):
    pass
