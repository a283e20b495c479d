"""The proxy's counters per version, in the Prometheus text format.

Series are named by revision, not by arm: a promoted canary's counts go on as the stable arm's.
`swarm_arm_info` says which revision is which arm, in the same scrape.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from swarm.adapters.local.service.routing import Routes

# 15 edges per decade from 0.1 ms to 60 s: neighbouring edges differ by 17 %, which is what a
# rise of p95 by 15 % needs to be seen, from a loopback service to a slow report.
EDGES = tuple(round(10 ** (-4 + i / 15), 7) for i in range(88))
OK, ERROR, FAILOVER = "ok", "error", "failover"


class Counters:
    """What the proxy counts. An error is a status from 500, a broken or a silent version."""

    def __init__(self, epoch: str) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "swarm_requests",
            "Requests by version; outcome `failover` was served in place of a dead canary.",
            ("revision", "outcome"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "swarm_request_seconds",
            "Time until the last byte of the answer, by version.",
            ("revision",),
            buckets=EDGES,
            registry=self.registry,
        )
        self._arms = Gauge(
            "swarm_arm_info",
            "Which revision is which arm.",
            ("arm", "revision"),
            registry=self.registry,
        )
        self._percent = Gauge(
            "swarm_traffic_percent", "The canary's share of requests.", registry=self.registry
        )
        self._generation = Gauge(
            "swarm_generation", "Generation of the state in force.", registry=self.registry
        )
        Gauge(
            "swarm_proxy_info",
            "Which proxy process counts; a new one counts from zero.",
            ("epoch",),
            registry=self.registry,
        ).labels(epoch).set(1)
        self._known: set[str] = set()

    def count(self, revision: str, outcome: str, seconds: float) -> None:
        """One request of a version has ended. A failover is not part of the version's traffic."""
        if revision not in self._known:
            return  # the last request of a version that is already gone
        self._requests.labels(revision, outcome).inc()
        if outcome != FAILOVER:
            self._seconds.labels(revision).observe(seconds)

    def follow(self, routes: Routes) -> None:
        """Show the split in force; versions that came start at zero, those that went vanish."""
        present = {route.revision for route in routes.routes()}
        for revision in self._known - present:
            for outcome in (OK, ERROR, FAILOVER):
                self._requests.remove(revision, outcome)
            self._seconds.remove(revision)
        for revision in present - self._known:
            for outcome in (OK, ERROR, FAILOVER):
                self._requests.labels(revision, outcome)
            self._seconds.labels(revision)
        self._known = present
        self._arms.clear()
        for route in routes.routes():
            self._arms.labels(route.arm, route.revision).set(1)
        self._percent.set(routes.percent)
        self._generation.set(routes.generation)

    def text(self) -> Iterable[bytes]:
        """The exposition."""
        return (generate_latest(self.registry),)
