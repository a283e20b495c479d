"""JSON over HTTP: any list of items, by pointers from the settings."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from swarm.adapters.feeds.errors import (
    BadShape,
    SourceRefused,
    TooSlow,
    Unparsable,
    WrongContentType,
)
from swarm.adapters.feeds.json_items import at_pointer
from swarm.adapters.feeds.settings import JsonSettings
from swarm.testing.loopback import http, serve

pytestmark = pytest.mark.req("LOOP-2")
ITEM = {"id": 7, "title": "Broken", "text": "It <b>is</b>", "url": "/issues/7"}


def answering(value, **headers: str):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return serve(lambda _: http(body, **headers))


async def test_an_item_is_a_signal_by_the_pointers_of_the_settings(world):
    fields = {
        "title": "/a/0/t",
        "id": "/id",
        "body": "/text",
        "link": "/url",
        "author": "/by/na~1me",
        "observed_at": "/at",
        "rule": "/rule",
    }
    value = {"data": {"items": [{**ITEM, "a": [{"t": "Deep"}], "by": {"na/me": "Ann"}}]}}
    value["data"]["items"][0] |= {"at": "2026-03-01T10:00:00Z", "rule": "R1"}
    async with answering(value) as server:
        source = world.json(server, items="/data/items", fields=fields, mission_class="docs")
        (signal,), refused, _ = await world.read(source)
    assert refused == []
    assert (signal.title, signal.body, signal.author) == ("Deep", "It is", "Ann")
    assert signal.citation == f"{server.url}/issues/7"
    assert (signal.external_id, signal.rule, signal.external) == ("7", "R1", True)
    assert signal.observed_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert signal.mission_class == "docs"


async def test_what_an_item_says_cannot_reach_the_settings(world):
    """Class, risk, cost and trust come from the owner, whatever an item calls its fields."""
    item = {**ITEM, "mission_class": "payments", "risk": 0, "cost": 1, "trust": 1, "value": 9}
    async with answering([item]) as server:
        (signal,), _, _ = await world.read(world.json(server, risk="R2", trust=0.2))
    assert (signal.mission_class, signal.risk, signal.trust) == ("maintenance", 2, 0.2)
    assert (signal.cost, signal.value) == (100_000, 1.0)


async def test_items_are_told_once_and_a_new_version_is_told_again(world):
    values = [[ITEM], [ITEM, {**ITEM, "id": 8}], [{**ITEM, "v": 2}, {**ITEM, "id": 8}]]
    fields = {"title": "/title", "id": "/id", "updated": "/v"}
    async with serve(lambda _: http(json.dumps(values.pop(0)).encode())) as server:
        source = world.json(server, fields=fields)
        cursor, told = "", []
        for _ in range(3):
            signals, _, cursor = await world.read(source, cursor)
            told.append([signal.external_id for signal in signals])
    assert told == [["7"], ["8"], ["7#2"]]


async def test_malformed_items_are_refused_one_by_one_and_the_rest_is_kept(world):
    items = [1, None, [], {}, {"title": {"x": 1}}, {"title": "\u202e"}, {**ITEM}]
    items.append({**ITEM, "id": 9, "at": "yesterday"})
    fields = {"title": "/title", "id": "/id", "observed_at": "/at"}
    async with answering(items) as server:
        signals, refused, _ = await world.read(world.json(server, fields=fields))
    assert [signal.external_id for signal in signals] == ["7"]
    assert len(refused) == 7
    assert any(text.startswith("item 8: observed_at") for text in refused)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_date_that_utc_cannot_tell_costs_its_item_and_no_other(world, at):
    fields = {"title": "/title", "id": "/id", "observed_at": "/at"}
    async with answering([{**ITEM, "id": 8, "at": at}, ITEM]) as server:
        signals, refused, _ = await world.read(world.json(server, fields=fields))
    assert [signal.external_id for signal in signals] == ["7"]
    assert refused == ["item 1: observed_at: is outside the calendar in UTC"]


async def test_an_item_that_was_refused_is_told_once_it_is_mended(world):
    """Nothing visible was left of its title, and then somebody gave it a better one."""
    said = iter([[ITEM, {"id": 8, "title": "\u202e"}], [ITEM, {"id": 8, "title": "Mended"}]])
    async with serve(lambda _: http(json.dumps(next(said)).encode())) as server:
        source = world.json(server)
        _, refused, cursor = await world.read(source)
        (mended,), none, _ = await world.read(source, cursor)
    assert refused == ["item 2: title: nothing visible is left of it"]
    assert (mended.title, none) == ("Mended", [])


@pytest.mark.req("FAIL-4")
async def test_a_malformed_item_beside_known_ones_makes_no_source_that_nobody_understands(world):
    said = iter([[1, ITEM], [1, 2, ITEM], [1, 2]])
    async with serve(lambda _: http(json.dumps(next(said)).encode())) as server:
        source = world.json(server)
        (first,) = [one async for one in source.read("")]
        (again,) = [one async for one in source.read(first.cursor)]
        (lost,) = [one async for one in source.read(again.cursor)]
    assert len(first.signals) == 1
    assert (again.signals, len(again.refused), again.understood) == ((), 2, True)
    assert (lost.understood, lost.cursor) == (False, again.cursor)


@pytest.mark.req("GATE-1")
async def test_lone_surrogates_and_nulls_do_not_reach_the_store(world):
    body = b'[{"title": "a\\ud800b\\u0000c", "id": "x\\u0000", "url": "https://x.test/\\udfff"}]'
    async with answering(body) as server:
        (signal,), _, _ = await world.read(world.json(server))
    assert signal.title == "a?bc"
    for text in (signal.title, signal.external_id, signal.citation, signal.id):
        text.encode()
        assert "\x00" not in text


@pytest.mark.parametrize(
    ("value", "items", "why"),
    [
        ({"error": "gone"}, "/items", BadShape),
        ({"items": {}}, "/items", BadShape),
        ({"items": None}, "/items", BadShape),
        ([], "/items", BadShape),
        ("text", "", BadShape),
        (b"", "", Unparsable),
        (b"<html>", "", Unparsable),
        (b"\xff", "", Unparsable),
        (b"[" * 90_000, "", Unparsable),
        (b"[" + b"1" * 5_000 + b"]", "", Unparsable),
    ],
)
async def test_an_api_that_changed_is_never_an_empty_one(world, value, items, why):
    async with answering(value) as server:
        with pytest.raises(why):
            await world.read(world.json(server, items=items))


async def test_a_page_instead_of_data_is_refused(world):
    async with serve(lambda _: http(b"<html>log in</html>", kind="text/html")) as server:
        with pytest.raises(WrongContentType):
            await world.read(world.json(server))


async def test_an_empty_list_is_an_answer(world):
    async with answering([]) as server:
        assert (await world.read(world.json(server)))[0] == []


# --- pages --------------------------------------------------------------------------------------


def paged(last: int, *, next_of=lambda n: f"/items?page={n + 1}"):
    def answer(request):
        page = int(request.target.partition("page=")[2] or 1)
        more = {"next": next_of(page)} if page < last else {"next": None}
        return http(json.dumps({"items": [{**ITEM, "id": page}], **more}).encode())

    return serve(answer)


async def test_pages_are_followed_to_the_end(world):
    async with paged(3) as server:
        signals, _, _ = await world.read(world.json(server, items="/items", next="/next"))
    assert [signal.external_id for signal in signals] == ["1", "2", "3"]


async def test_pages_end_at_the_limit_and_at_a_circle(world):
    async with paged(99) as server:
        await world.read(world.json(server, items="/items", next="/next", max_pages=4))
        assert len(server.requests) == 4
    async with paged(99, next_of=lambda _: "/items") as server:
        await world.read(world.json(server, items="/items", next="/next"))
        assert len(server.requests) == 1


@pytest.mark.parametrize(("most", "told"), [(3, True), (4, False), (5, False)])
async def test_pages_that_are_not_read_are_told_while_they_may_hold_something_new(
    world, most, told
):
    async with paged(4) as server:
        source = world.json(server, items="/items", next="/next", max_pages=most)
        _, refused, cursor = await world.read(source)
        assert refused == ([f"page {most}: more follow than max_pages reads"] if told else [])
        _, refused, _ = await world.read(source, cursor)
        assert refused == []


async def test_a_next_page_elsewhere_is_refused(world):
    async with paged(2, next_of=lambda _: "http://169.254.169.254/x") as server:
        with pytest.raises(SourceRefused, match="BlockedAddress"):
            await world.read(world.json(server, items="/items", next="/next"))


async def test_all_pages_together_have_one_deadline(world):
    async def slow(request):
        if "page" in request.target:
            await server.held.wait()
        return http(json.dumps({"items": [ITEM], "next": "/items?page=2"}).encode())

    async with serve(slow) as server:
        with pytest.raises(TooSlow):
            await world.read(world.json(server, items="/items", next="/next", timeout="400ms"))


# --- tokens -------------------------------------------------------------------------------------


async def test_a_token_is_sent_and_never_shown(world):
    world.secrets["API_TOKEN"] = "s3cret"
    async with answering([ITEM]) as server:
        source = world.json(server, token_env="API_TOKEN", token_header="X-Key", token_prefix="")
        (signal,), _, cursor = await world.read(source)
    assert server.requests[0].headers["x-key"] == "s3cret"
    assert "s3cret" not in cursor + repr(signal)


@pytest.mark.parametrize("value", [None, "", "a\r\nHost: evil.test"])
async def test_a_missing_or_impossible_token_sends_nothing(world, value):
    world.secrets |= {"API_TOKEN": value} if value is not None else {}
    async with answering([ITEM]) as server:
        with pytest.raises(SourceRefused, match="API_TOKEN"):
            await world.read(world.json(server, token_env="API_TOKEN"))
        assert server.connections == 0


# --- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"url": "http://example.org/"}, "BlockedScheme"),
        ({"url": "https://127.0.0.1/"}, "BlockedAddress"),
        ({"url": "https://example.org:22/"}, "BlockedPort"),
        ({"url": "https://u:p@example.org/"}, "BlockedUrl"),
        ({"url": "example.org"}, "BlockedScheme"),
        ({"url": ""}, "url"),
        ({"items": "data"}, "items"),
        ({"items": "/a~2"}, "items"),
        ({"fields": {}}, "title"),
        ({"fields": {"title": "/t", "colour": "/c"}}, "colour"),
        ({"allow_hosts": ["evil test"]}, "allow_hosts"),
        ({"allow_hosts": ["*"]}, "allow_hosts"),
        ({"allow_internal": ["127.0.0.1"]}, "allow_internal"),
        ({"allow_internal": ["127.0.0.1:0"]}, "allow_internal"),
        ({"allow_internal": ["10.0.0.0/8:80"]}, "allow_internal"),
        ({"allow_http": True, "url": "http://example.org/", "token_env": "T"}, "token_env"),
        (
            {
                "allow_http": True,
                "url": "http://example.org/",
                "token_env": "T",
                "allow_internal": ["127.0.0.1:9093"],
            },
            "token_env",
        ),
        ({"verify": False}, "verify"),
        ({"max_pages": 0}, "max_pages"),
    ],
)
def test_bad_settings_are_refused_and_the_field_is_named(change, names):
    good = {"kind": "json", "name": "api", "url": "https://example.org/", "fields": {"title": "/t"}}
    JsonSettings(**good)
    with pytest.raises(ValidationError, match=names):
        JsonSettings(**{**good, **change})


def test_an_own_host_need_not_be_allowed_twice():
    settings_ = JsonSettings(
        kind="json", name="api", url="https://API.Example.org./x", fields={"title": "/t"}
    )
    assert settings_.egress.hosts == {"api.example.org"}


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", {"a": [1, {"b/c": 2, "d~e": 3, "": 4}]}),
        ("/a/0", 1),
        ("/a/1/b~1c", 2),
        ("/a/1/d~0e", 3),
        ("/a/1/", 4),
        ("/a/2", None),
        ("/a/-", None),
        ("/a/-1", None),
        ("/a/x", None),
        ("/x", None),
        ("/a/0/x", None),
    ],
)
def test_pointers_point_where_the_standard_says(pointer, found):
    assert at_pointer({"a": [1, {"b/c": 2, "d~e": 3, "": 4}]}, pointer) == found


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["title", "id", "text", "url", "at"]), inner, max_size=5)
    ),
    max_leaves=15,
)


@pytest.mark.slow
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(items=st.lists(VALUES, max_size=5))
async def test_no_item_brings_the_source_down(world, items):
    fields = {"title": "/title", "id": "/id", "body": "/text", "link": "/url", "observed_at": "/at"}
    async with answering(items) as server:
        signals, refused, _ = await world.read(world.json(server, fields=fields))
    assert len(signals) + len(refused) <= len(items)
    for signal in signals:
        repr(signal).encode()


@pytest.mark.parametrize(("token", "prefix"), [("t\xf6k", "Bearer "), ("token", "T\xf6k ")])
async def test_a_token_that_no_header_can_carry_is_told(world, token, prefix):
    world.secrets["TOKEN"] = token
    async with serve(lambda _: http(b"[]")) as server:
        asking = world.json(server, token_env="TOKEN", token_prefix=prefix)
        with pytest.raises(SourceRefused, match="SecretMissing: TOKEN"):
            await world.read(asking)
    assert server.requests == []


async def test_of_an_answer_without_end_only_so_many_items_are_looked_at(world, as_json):
    """A few kilobytes unpack to a million of them."""
    items = [{"title": "a", "id": 1}] * 20_000 + [{}] * 5
    async with serve(lambda _: http(as_json(items))) as server:
        signals, refused, _ = await world.read(world.json(server))
    assert len(signals) == 1
    assert refused == ["page 1: 5 more items than are read"]


async def test_a_token_goes_to_no_other_place_that_an_answer_calls_its_next_page(world, as_json):
    """Whoever may write into an answer could otherwise have it sent to a host of its choice."""
    world.secrets["TOKEN"] = "s3cret"
    page = {"items": [{"title": "b", "id": 2}]}
    async with serve(lambda _: http(as_json(page))) as other, serve(lambda _: answer) as own:
        first = {"items": [{"title": "a", "id": 1}], "next": other.url + "/2"}
        answer = http(as_json(first))
        paged = {"items": "/items", "next": "/next", "token_env": "TOKEN"}
        paged["allow_internal"] = (own.entry, other.entry)
        signals, _, _ = await world.read(world.json(own, **paged))
    assert [one.title for one in signals] == ["a", "b"]
    assert own.requests[0].headers["authorization"] == "Bearer s3cret"
    assert "authorization" not in other.requests[0].headers
