from swarm.testing.contracts.runs import RunsContract


class TestLocalRuns(RunsContract):
    pass
