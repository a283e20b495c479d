"""Alertmanager, against a served twin that is held to the published API description.

The schema below restates `gettableAlert` of Alertmanager's `api/v2/openapi.yaml`; ANSWER is what
release 0.25 really answered to five posted alerts, one of them silenced and one inhibited.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarm.adapters.feeds.errors import BadShape, BadStatus, Unparsable
from swarm.testing.loopback import http, serve

pytestmark = pytest.mark.req("LOOP-2")
ANSWER = json.loads((Path(__file__).parent / "data" / "alertmanager_0_25.json").read_text())
STARTED = datetime(2026, 11, 22, 14, 44, 49, 586_000, tzinfo=UTC)
STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
NAMES = {"type": "array", "items": {"type": "string"}}
DATE = {"type": "string", "format": "date-time"}
GETTABLE_ALERT = {
    "type": "object",
    "required": [
        "receivers", "fingerprint", "startsAt", "updatedAt", "endsAt", "annotations", "status",
        "labels",
    ],
    "properties": {
        "labels": STRINGS,
        "annotations": STRINGS,
        "fingerprint": {"type": "string"},
        "startsAt": DATE,
        "updatedAt": DATE,
        "endsAt": DATE,
        "generatorURL": {"type": "string", "format": "uri"},
        "receivers": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        "status": {
            "type": "object",
            "required": ["state", "silencedBy", "inhibitedBy"],
            "properties": {
                "state": {"type": "string", "enum": ["unprocessed", "active", "suppressed"]},
                "silencedBy": NAMES,
                "inhibitedBy": NAMES,
            },
        },
    },
}  # fmt: skip


def alert(name="HighErrors", *, status=None, **changes) -> dict:
    made = {
        "labels": {"alertname": name, "severity": "critical", "service": "shop"},
        "annotations": {"summary": f"{name} at the shop"},
        "fingerprint": f"f-{name}",
        "receivers": [{"name": "team"}],
        "startsAt": "2026-03-02T11:00:00.5Z",
        "updatedAt": "2026-03-02T11:59:00Z",
        "endsAt": "2026-03-02T12:04:00Z",
        "generatorURL": "https://prometheus.test/graph?g0.expr=up",
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], **(status or {})},
    }
    return made | changes


def matches(schema: dict, value, where="alert") -> None:
    """A check of the few schema words that are used above; says where it fails."""
    kinds = {"object": dict, "array": list, "string": str}
    assert isinstance(value, kinds[schema["type"]]), where
    for name in schema.get("required", ()):
        assert name in value, f"{where}.{name}"
    for name, inner in schema.get("properties", {}).items():
        if name in value:
            matches(inner, value[name], f"{where}.{name}")
    if inner := schema.get("additionalProperties"):
        for name, each in value.items():
            matches(inner, each, f"{where}.{name}")
    for each in value if "items" in schema else ():
        matches(schema["items"], each, f"{where}[]")
    if schema.get("format") == "date-time":
        assert datetime.fromisoformat(value).tzinfo, where
    assert value in schema.get("enum", [value]), where


class Twin:
    """Answers `GET /api/v2/alerts` with its parameters as the description gives them."""

    def __init__(self, *alerts: dict) -> None:
        self.alerts = list(alerts)

    def __call__(self, request) -> bytes:
        parts = urlsplit(request.target)
        assert (request.method, parts.path) == ("GET", "/api/v2/alerts")
        asked = parse_qs(parts.query, strict_parsing=True)
        shows = {name: asked.get(name, ["true"]) == ["true"] for name in (
            "active", "silenced", "inhibited", "unprocessed")}  # fmt: skip
        unknown = set(asked) - {*shows, "filter", "receiver"}
        assert not unknown
        shown = [one for one in self.alerts if self._shown(one["status"], shows)]
        for one in shown:
            matches(GETTABLE_ALERT, one)
        return http(json.dumps(shown).encode())

    @staticmethod
    def _shown(status: dict, shows: dict[str, bool]) -> bool:
        return not (
            (status["silencedBy"] and not shows["silenced"])
            or (status["inhibitedBy"] and not shows["inhibited"])
            or (status["state"] == "unprocessed" and not shows["unprocessed"])
            or (status["state"] == "active" and not shows["active"])
        )


def test_what_the_real_program_answered_is_what_the_description_says():
    for one in ANSWER:
        matches(GETTABLE_ALERT, one)
    for made in (alert(), alert(status={"state": "suppressed", "silencedBy": ["x"]})):
        matches(GETTABLE_ALERT, made)


async def test_the_real_answer_gives_the_alerts_that_people_are_told_about(world):
    """Even from a server that ignores what it was asked: the raw list holds all four."""
    world.now = STARTED + timedelta(minutes=1)
    async with serve(lambda _: http(json.dumps(ANSWER).encode())) as server:
        signals, refused, _ = await world.read(world.alertmanager(server))
    assert refused == []
    assert {signal.title for signal in signals} == {
        "HighErrors: HighErrors summary",
        "Disk: Disk summary",
    }
    by_title = {signal.title[:4]: signal for signal in signals}
    assert by_title["Disk"].caused_by == "m-0123456789abcdef0123"
    assert by_title["High"].caused_by is None
    assert (by_title["High"].value, by_title["Disk"].value) == (8.0, 1.0)


async def test_an_alert_is_a_signal_under_its_fingerprint(world):
    async with serve(Twin(alert())) as server:
        (signal,), _, _ = await world.read(world.alertmanager(server))
    assert signal.external_id == "f-HighErrors@2026-03-02T11:00:00.500000+00:00"
    assert (signal.title, signal.rule) == ("HighErrors: HighErrors at the shop", "alert:HighErrors")
    assert signal.citation == "https://prometheus.test/graph?g0.expr=up"
    assert (signal.external, signal.origin, signal.mission_class) == (
        False, "alertmanager", "incident",
    )  # fmt: skip
    assert "service=shop" in signal.body
    assert signal.observed_at == datetime(2026, 3, 2, 11, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "held",
    [
        alert(status={"state": "suppressed", "silencedBy": ["s"]}),
        alert(status={"state": "suppressed", "inhibitedBy": ["i"]}),
        alert(status={"state": "active", "mutedBy": ["weekend"]}),
        alert(status={"state": "unprocessed"}),
        alert(endsAt="2026-03-02T11:59:59Z"),
        alert(endsAt="2026-03-02T12:00:00Z"),
    ],
    ids=["silenced", "inhibited", "muted", "unprocessed", "resolved", "resolving"],
)
@pytest.mark.parametrize("honest", [True, False], ids=["asked", "ignored"])
async def test_an_alert_that_is_held_back_or_over_is_none(world, held, honest):
    twin = Twin(held, alert("Other"))
    raw = http(json.dumps(twin.alerts).encode())
    async with serve(twin if honest else (lambda _: raw)) as server:
        signals, _, _ = await world.read(world.alertmanager(server))
    assert [signal.rule for signal in signals] == ["alert:Other"]


async def test_an_alert_is_told_once_while_it_fires_and_again_when_it_fires_again(world):
    twin = Twin(alert())
    async with serve(twin) as server:
        source = world.alertmanager(server)
        first, _, cursor = await world.read(source)
        assert [r async for r in source.read(cursor)] == []
        twin.alerts = []
        none, _, cursor = await world.read(source, cursor)
        twin.alerts = [alert(startsAt="2026-03-02T11:30:00Z")]
        again, _, _ = await world.read(source, cursor)
    assert (len(first), len(none), len(again)) == (1, 0, 1)
    assert first[0].id != again[0].id


async def test_the_order_of_the_answer_is_no_news(world):
    twin = Twin(alert("A"), alert("B"))
    async with serve(twin) as server:
        source = world.alertmanager(server)
        _, _, cursor = await world.read(source)
        twin.alerts.reverse()
        assert [r async for r in source.read(cursor)] == []


async def test_matchers_and_receiver_are_asked_for(world):
    async with serve(Twin()) as server:
        await world.read(
            world.alertmanager(server, filter=('team="a b"', "x=~y.*"), receiver="team-.*")
        )
    asked = parse_qs(urlsplit(server.requests[0].target).query)
    assert asked["filter"] == ['team="a b"', "x=~y.*"]
    assert asked["receiver"] == ["team-.*"]


@pytest.mark.parametrize("label", ["m-1", "m-0123456789ABCDEF0123", "x" * 300, ""])
async def test_a_label_that_names_no_mission_causes_nothing(world, label):
    labels = {"alertname": "A", "swarm_mission": label}
    async with serve(Twin(alert(labels=labels))) as server:
        (signal,), _, _ = await world.read(world.alertmanager(server))
    assert signal.caused_by is None


async def test_malformed_alerts_are_refused_one_by_one(world):
    broken = [1, {}, alert(labels={"a": 1}), alert(startsAt="soon"), alert(startsAt="2026-03-02")]
    broken.append({k: v for k, v in alert().items() if k != "status"})
    body = json.dumps([*broken, alert("Good")]).encode()
    async with serve(lambda _: http(body)) as server:
        signals, refused, _ = await world.read(world.alertmanager(server))
    assert [signal.rule for signal in signals] == ["alert:Good"]
    assert len(refused) == 6


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{}", BadShape),
        (b'{"status":"success","data":[]}', BadShape),  # version 1 of the API
        (b"null", BadShape),
        (b'[{"labels": {}}]', BadShape),
        (b"", Unparsable),
    ],
)
async def test_another_api_is_never_a_quiet_one(world, body, why):
    """A removed or changed API must be noticed, not taken for silence."""
    async with serve(lambda _: http(body)) as server:
        with pytest.raises(why):
            await world.read(world.alertmanager(server))


async def test_a_removed_api_is_down(world):
    async with serve(lambda _: http(status="410 Gone")) as server:
        with pytest.raises(BadStatus, match="410"):
            await world.read(world.alertmanager(server))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just("2026-03-02T11:00Z"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["state", "silencedBy", "alertname", "x"]), inner)
    ),
    max_leaves=6,
)


@pytest.mark.slow
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(changes=st.dictionaries(st.sampled_from(sorted(alert())), ANYTHING, max_size=4))
async def test_no_alert_brings_the_source_down(world, changes):
    body = json.dumps([alert("Good"), {**alert("Odd"), **changes}]).encode()
    async with serve(lambda _: http(body)) as server:
        signals, refused, _ = await world.read(world.alertmanager(server))
    assert any(signal.rule == "alert:Good" for signal in signals)
    assert len(signals) + len(refused) <= 2


@pytest.mark.skipif(
    "SWARM_TEST_ALERTMANAGER" not in os.environ,
    reason="set SWARM_TEST_ALERTMANAGER to the port of a running Alertmanager on loopback",
)
async def test_a_running_alertmanager_can_be_read(world):
    world.now = datetime.now(UTC)

    class Real:
        port = os.environ["SWARM_TEST_ALERTMANAGER"]
        url, entry = f"http://127.0.0.1:{port}", f"127.0.0.1:{port}"

    signals, refused, _ = await world.read(world.alertmanager(Real))
    assert refused == []
    assert all(signal.rule.startswith("alert:") for signal in signals)


async def test_the_value_that_an_alert_is_given_counts_more_than_its_severity(world):
    said = json.dumps([alert("HighErrors"), alert("Other", fingerprint="f2")]).encode()
    async with serve(lambda _: http(said)) as server:
        rules = [{"rule": "alert:High*", "value": 7}]
        signals, _, _ = await world.read(world.alertmanager(server, rules=rules))
    assert sorted(one.value for one in signals) == [7.0, 8.0]
