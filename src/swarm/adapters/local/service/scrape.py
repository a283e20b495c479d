"""Reads a look from the proxy's Prometheus text: both arms, the split and the epoch, at once."""

from __future__ import annotations

from datetime import datetime
from math import isinf

from prometheus_client.parser import text_string_to_metric_families

from swarm.adapters.local.service.errors import MetricsUnreadable
from swarm.core.rollout.counts import (
    Absent,
    AbsentWhy,
    ArmCounts,
    LatencyHistogram,
    Look,
    arm,
)

Labels = tuple[tuple[str, str], ...]
Samples = dict[str, dict[Labels, float]]


def look_from(text: str, observed_at: datetime, canary: str | None = None) -> Look:
    """The look in one scrape. An arm that is not there is absent, never zero.

    canary: the revision that is asked about; another one in its place is not it.
    Raises MetricsUnreadable when the text is not the proxy's exposition.
    """
    samples = _samples(text)
    percents = samples.get("swarm_traffic_percent", {})
    if () not in percents:
        raise MetricsUnreadable("the scrape has no swarm_traffic_percent; is this the proxy?")
    arms = {
        dict(labels)["arm"]: dict(labels)["revision"]
        for labels in samples.get("swarm_arm_info", {})
    }
    tried = arms.get("canary")
    epoch = next((dict(k)["epoch"] for k in samples.get("swarm_proxy_info", {})), "")
    return Look(
        observed_at=observed_at,
        traffic_percent=int(percents[()]),
        canary=_arm(samples, tried if canary in {None, tried} else None, epoch),
        stable=_arm(samples, arms.get("stable"), epoch),
    )


def _samples(text: str) -> Samples:
    found: Samples = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = tuple(sorted(sample.labels.items()))
                found.setdefault(sample.name, {})[labels] = float(sample.value)
    except (ValueError, KeyError, IndexError) as error:
        raise MetricsUnreadable(f"the scrape is no Prometheus text: {error}") from error
    return found


def _arm(samples: Samples, revision: str | None, epoch: str) -> ArmCounts | Absent:
    if revision is None:
        return Absent(why=AbsentWhy.NOT_REPORTED, detail="no such version is running")
    outcomes = {
        dict(labels)["outcome"]: value
        for labels, value in samples.get("swarm_requests_total", {}).items()
        if dict(labels).get("revision") == revision
    }
    good, bad = outcomes.get("ok"), outcomes.get("error")
    total = None if good is None or bad is None else good + bad
    return arm(total, bad, _histogram(samples, revision), epoch=epoch)


def _histogram(samples: Samples, revision: str) -> LatencyHistogram | None:
    buckets = {
        float(dict(labels)["le"]): value
        for labels, value in samples.get("swarm_request_seconds_bucket", {}).items()
        if dict(labels).get("revision") == revision
    }
    return histogram_from(buckets)


def histogram_from(buckets: dict[float, float]) -> LatencyHistogram | None:
    """A histogram from cumulative buckets by upper edge; None without +Inf or a finite edge."""
    edges = tuple(sorted(edge for edge in buckets if not isinf(edge)))
    total = next((count for edge, count in buckets.items() if isinf(edge)), None)
    if total is None or not edges:
        return None
    cumulative = tuple(buckets[edge] for edge in edges)
    return LatencyHistogram(edges=edges, cumulative=cumulative, total=total)
