"""The trail: whatever is changed afterwards shows, and shows at the right place."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.trail import Event, FaultKind, Head, canonical, link, verify

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHAIN = "m-41c0"


def chain(count=6):
    events, prev = [], b""
    for seq in range(1, count + 1):
        fields = (START + timedelta(seconds=seq), "verdict.given", "ann", f'{{"n":{seq}}}')
        prev = link(prev, CHAIN, seq, fields)
        events.append(
            Event(seq=seq, at=fields[0], kind=fields[1], actor="ann", body=fields[3], hash=prev)
        )
    return events, Head(seq=count, hash=prev)


def test_the_first_link_is_the_documented_bytes():
    """Written out by hand: this is the format that outside tools verify."""
    raw = (
        b"\0\0\0\0"
        b"\0\0\0\x06m-41c0"
        b"\0\0\0\0\0\0\0\x01"
        + int(START.timestamp() * 1_000_000).to_bytes(8, "big")
        + b"\0\0\0\x04kind"
        b"\0\0\0\x03ann"
        b"\0\0\0\x02{}"
    )
    assert link(b"", CHAIN, 1, (START, "kind", "ann", "{}")) == hashlib.sha256(raw).digest()


@pytest.mark.req("VAL-6")
def test_an_untouched_chain_holds():
    events, head = chain()
    assert verify(CHAIN, events, head) is None
    assert verify(CHAIN, [], Head(seq=0, hash=b"")) is None


@pytest.mark.req("VAL-6")
@pytest.mark.parametrize(
    "change",
    [
        {"body": '{"n":0}'},
        {"actor": "bob"},
        {"kind": "freeze.lifted"},
        {"at": START},
        {"hash": bytes(32)},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("place", [1, 3, 6])
def test_an_edited_event_is_found_where_it_is(change, place):
    events, head = chain()
    events[place - 1] = events[place - 1]._replace(**change)
    fault = verify(CHAIN, events, head)
    assert (fault.seq, fault.kind) == (place, FaultKind.EDITED)


@pytest.mark.req("VAL-6")
@pytest.mark.parametrize("place", [1, 3, 5])
def test_a_removed_event_is_found_where_it_was(place):
    events, head = chain()
    del events[place - 1]
    fault = verify(CHAIN, events, head)
    assert (fault.seq, fault.kind) == (place, FaultKind.REMOVED)


@pytest.mark.req("VAL-6")
@pytest.mark.parametrize("left", [0, 3, 5])
def test_a_cut_tail_is_found_where_it_was_cut(left):
    events, head = chain()
    fault = verify(CHAIN, events[:left], head)
    assert (fault.seq, fault.kind) == (left + 1, FaultKind.CUT)


@pytest.mark.req("VAL-6")
def test_events_that_changed_places_are_found():
    events, head = chain()
    events[1], events[3] = events[3]._replace(seq=2), events[1]._replace(seq=4)
    fault = verify(CHAIN, events, head)
    assert (fault.seq, fault.kind) == (2, FaultKind.MOVED)


@pytest.mark.req("VAL-6")
def test_an_event_that_was_added_is_found():
    events, head = chain()
    twin = events[2]._replace(body='{"n":9}')
    fault = verify(CHAIN, [*events[:3], twin, *events[3:]], head)
    assert (fault.seq, fault.kind) == (3, FaultKind.MOVED)
    extra, longer = chain(7)
    assert verify(CHAIN, extra, head).kind == FaultKind.HEAD
    assert verify(CHAIN, extra, longer) is None


@pytest.mark.req("VAL-6")
def test_a_whole_chain_that_was_written_anew_does_not_fit_its_head():
    events, _ = chain()
    _, other = chain(6)
    assert verify("m-ffff", events, other).kind == FaultKind.EDITED
    assert verify(CHAIN, events, replace(other, hash=bytes(32))).kind == FaultKind.HEAD
    assert verify(CHAIN, events, replace(other, seq=5)).kind == FaultKind.HEAD


@given(
    st.lists(st.text(max_size=8), min_size=3, max_size=3),
    st.lists(st.text(max_size=8), min_size=3, max_size=3),
)
def test_different_events_never_read_the_same(one, other):
    """Fields carry their length: ("ab", "c") and ("a", "bc") are different bytes."""
    first = link(b"", CHAIN, 1, (START, *one))
    second = link(b"", CHAIN, 1, (START, *other))
    assert (first == second) is (one == other)


def test_canonical_json_is_one_text_for_one_value():
    assert canonical({"b": 1, "a": [True, None, "é"]}) == '{"a":[true,null,"é"],"b":1}'
    with pytest.raises(ValueError, match="JSON"):
        canonical({"x": float("nan")})
