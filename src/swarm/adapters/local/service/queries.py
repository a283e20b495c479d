"""Reads a look from a Prometheus server: instant queries over its published HTTP API.

Both arms are asked at one and the same evaluation time. Cumulative counters are read as they
are; differences and restarts are the judgement's business, so `rate` and `increase` are refused,
and so is every fallback that would turn "no data" into a number.

Source: prometheus.io/docs/prometheus/latest/querying/api (envelope, instant vectors, scalars).
"""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
from pydantic import Field, field_validator

from swarm.adapters.local.service.errors import BadQuery, MetricsUnreadable
from swarm.adapters.local.service.scrape import histogram_from
from swarm.contract.rules import Span
from swarm.core.rollout.counts import (
    Absent,
    AbsentWhy,
    ArmCounts,
    LatencyHistogram,
    Look,
    arm,
)
from swarm.ports.source_settings import SettingsBlock

_REVISION = "{revision}"
_RATES = re.compile(r"\b(rate|irate|increase|delta|idelta|deriv)\s*\(")
_FALLBACK = re.compile(r"\b(or\s+(on\s*\([^)]*\)\s*)?(vector\s*\(|[0-9])|absent(_over_time)?\s*\()")
_SAFE_REVISION = re.compile(r"^[0-9A-Za-z][0-9A-Za-z._-]{0,127}$")
_MOST = 8 * 1024 * 1024
_Query = Annotated[str, Field(min_length=1, max_length=4000)]
#: What well-formed JSON can still be: nested without end, an integer that no float holds.
_UNFIT = (RecursionError, OverflowError)
_BAD_REQUESTS = frozenset({400, 401, 403, 404, 405, 422})


class PrometheusSettings(SettingsBlock):
    """Where the counters of a target are, and how each arm's are asked for."""

    url: str = Field(
        pattern=r"^https?://[^\s]+$", max_length=500, description="Base URL of the Prometheus."
    )
    total: _Query = Field(
        description="All requests of one version, as one number; {revision} is filled in.",
        examples=['sum(http_requests_total{revision="{revision}"})'],
    )
    bad: _Query = Field(
        description="Its bad requests, as one number.",
        examples=['sum(http_requests_total{revision="{revision}",code=~"5.."})'],
    )
    latency: _Query | None = Field(
        default=None,
        description="Its cumulative duration buckets by `le`.",
        examples=['sum by (le) (http_request_duration_seconds_bucket{revision="{revision}"})'],
    )
    token_file: Path | None = Field(
        default=None, description="File with a bearer token, read anew for every look."
    )
    timeout: Annotated[timedelta, Span(least="100ms", most="1m")] = Field(
        default=timedelta(seconds=5), description="Longest time for one query."
    )

    @field_validator("url")
    @classmethod
    def _can_be_reached(cls, url: str) -> str:
        parts = urlsplit(url)  # raises ValueError in words for an address that is none
        if not parts.hostname or parts.port == 0:
            raise ValueError("it names no host, or port 0")
        return url

    @field_validator("total", "bad", "latency")
    @classmethod
    def _tells_the_truth(cls, query: str | None) -> str | None:
        if query is None:
            return None
        problem = ""
        if _REVISION not in query:
            problem = f"{_REVISION} is missing, so both arms would read the same counters"
        elif found := _RATES.search(query):
            problem = f"{found.group(1)}() is not a counter; the counter itself is wanted"
        elif found := _FALLBACK.search(query):
            problem = f"'{found.group(0)}' turns 'no data' into a number"
        if problem:
            raise ValueError(problem)
        return query


class PrometheusReader:
    """Takes looks from one Prometheus."""

    def __init__(self, settings: PrometheusSettings) -> None:
        self._settings = settings

    async def look(
        self, stable: str, canary: str | None, percent: int, at: datetime | None = None
    ) -> Look:
        """Both arms' counters, now or `at` an earlier time.

        stable, canary: the revisions of the arms; percent: the split in force.
        Raises MetricsUnreadable when the server cannot be asked, BadQuery when it refuses the
        query or the query gives more than one number.
        """
        at = at or datetime.now(UTC)
        async with self._client() as client:
            arms = await asyncio.gather(
                self._arm(client, stable, at),
                self._arm(client, canary, at) if canary else _no_canary(),
            )
        return Look(observed_at=at, traffic_percent=percent, stable=arms[0], canary=arms[1])

    def _client(self) -> httpx.AsyncClient:
        headers = {}
        if self._settings.token_file is not None:
            try:
                token = self._settings.token_file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise MetricsUnreadable(f"{self._settings.token_file}: {error.strerror}") from error
            except UnicodeDecodeError:
                token = ""
            if not (token and token.isascii() and token.isprintable()):
                raise MetricsUnreadable(f"{self._settings.token_file} holds no token")
            headers["authorization"] = f"Bearer {token}"
        return httpx.AsyncClient(
            headers=headers,
            timeout=self._settings.timeout.total_seconds(),
            trust_env=False,
            follow_redirects=False,
        )

    async def _arm(
        self, client: httpx.AsyncClient, revision: str, at: datetime
    ) -> ArmCounts | Absent:
        if not _SAFE_REVISION.match(revision):
            raise BadQuery(f"{revision!r} cannot be put into a query")
        total = await self._number(client, self._settings.total, revision, at)
        bad = await self._number(client, self._settings.bad, revision, at)
        latency = None
        if self._settings.latency is not None:
            latency = await self._buckets(client, self._settings.latency, revision, at)
        return arm(total, bad, latency)

    async def _number(
        self, client: httpx.AsyncClient, query: str, revision: str, at: datetime
    ) -> float | None:
        rows = await self._rows(client, query.replace(_REVISION, revision), at)
        if len(rows) > 1:
            raise BadQuery(f"{query} gives {len(rows)} series; wrap it in sum() to get one number")
        return rows[0][1] if rows else None

    async def _buckets(
        self, client: httpx.AsyncClient, query: str, revision: str, at: datetime
    ) -> LatencyHistogram | None:
        buckets: dict[float, float] = {}
        for labels, value in await self._rows(client, query.replace(_REVISION, revision), at):
            edge = _edge(labels)
            if edge is None or edge in buckets:
                raise BadQuery(f"{query} must give one series per `le`: sum by (le) (...)")
            if value != value:  # noqa: PLR0124 - NaN: a bucket that is not there
                return None
            buckets[edge] = value
        return histogram_from(buckets)

    async def _rows(
        self, client: httpx.AsyncClient, query: str, at: datetime
    ) -> list[tuple[dict[str, str], float]]:
        """Label sets and values of an instant query."""
        url = f"{self._settings.url.rstrip('/')}/api/v1/query"
        form = {"query": query, "time": f"{at.timestamp():.3f}"}
        seconds = self._settings.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds), client.stream("POST", url, data=form) as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _MOST:
                        raise MetricsUnreadable(f"{url} answered more than {_MOST} bytes")
        except TimeoutError as error:
            raise MetricsUnreadable(f"{url} did not answer within {seconds:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            # The last two: an address that is none, ours or one that it redirects to.
            raise MetricsUnreadable(f"{url}: {error or type(error).__name__}") from error
        return _parse(url, query, response.status_code, bytes(body))


def _edge(labels: dict[str, str]) -> float | None:
    """The upper edge that `le` alone names; None when it names none."""
    try:
        edge = float(labels["le"])
    except (KeyError, ValueError):
        return None
    return edge if set(labels) == {"le"} and edge == edge else None  # noqa: PLR0124 - no NaN


async def _no_canary() -> Absent:
    return Absent(why=AbsentWhy.NOT_REPORTED, detail="no such version is running")


def _parse(url: str, query: str, status: int, body: bytes) -> list[tuple[dict[str, str], float]]:
    try:
        envelope: Any = json.loads(body)
        said = envelope["status"]
        if said == "error":
            words = f"{envelope.get('errorType', '')}: {envelope.get('error', '')}"
            if status in _BAD_REQUESTS:
                raise BadQuery(f"{query}: {words}")
            raise MetricsUnreadable(f"{url}: {words}")
        if said != "success":
            raise MetricsUnreadable(f"{url} answered status {said!r}")
        # A partial answer is no evidence: the missing part may be the bad one.
        if envelope.get("warnings"):
            raise MetricsUnreadable(f"{url} warns: {'; '.join(map(str, envelope['warnings']))}")
        return _values(envelope["data"])
    except (ValueError, LookupError, TypeError, AttributeError, *_UNFIT) as error:
        raise MetricsUnreadable(
            f"{url} answered {status} and not in the format of a query"
        ) from error


def _values(data: dict[str, Any]) -> list[tuple[dict[str, str], float]]:
    if data["resultType"] == "scalar":
        return [({}, float(data["result"][1]))]
    if data["resultType"] != "vector":
        raise ValueError(data["resultType"])
    return [
        ({str(k): str(v) for k, v in row["metric"].items()}, float(row["value"][1]))
        for row in data["result"]
    ]
