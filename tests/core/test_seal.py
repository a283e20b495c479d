"""Seals: what each kind of tampering looks like, and that untouched seals give no fault."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.seal import Leaf, Seal, Signature, body_of, rewritten, root, to_sign, verify
from swarm.core.trail import FaultKind

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SWARM = "s-1"


def digest(text):
    return hashlib.sha256(text.encode()).digest()


def leaf(chain, seq):
    return Leaf(chain, seq, digest(f"{chain} {seq}"))


def signed(data):
    """A signature that only this file can make, in place of Ed25519."""
    return hashlib.sha256(b"secret" + data).digest() * 2


def judge(key, data, signature):
    if key != "K":
        return Signature.UNKNOWN
    return Signature.GOOD if signature == signed(data) else Signature.BAD


def seals(count, swarm=SWARM):
    made = []
    for number in range(1, count + 1):
        leaves = (leaf("m-1", 3 * number), leaf("m-2", 2 * number))
        last = made[-1] if made else None
        body = body_of(swarm, last, NOON + timedelta(minutes=number), str(number), leaves)
        made.append(
            Seal(
                swarm=swarm, seq=number, body=body, key="K", signature=signed(to_sign(body)),
                leaves=leaves,
            )
        )  # fmt: skip
    return made


def judged(kept, published=()):
    count, faults = verify(SWARM, kept, {seal.seq: seal for seal in published}, judge)
    return count, [(fault.seq, fault.kind) for fault in faults]


@pytest.mark.req("VAL-6")
def test_untouched_seals_hold_with_and_without_a_copy_outside():
    made = seals(5)
    assert judged(made, made) == (5, [])
    assert judged(made) == (5, [])
    assert judged([]) == (0, [])


@pytest.mark.req("VAL-6")
def test_a_copy_that_is_behind_is_no_fault():
    """A crash between commit and publication leaves one seal that the next turn publishes."""
    made = seals(5)
    assert judged(made, made[:4]) == (5, [])


@pytest.mark.req("VAL-6")
@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        pytest.param(lambda s: [*s[:2], *s[3:]], (3, FaultKind.REMOVED), id="middle-removed"),
        pytest.param(lambda s: s[1:], (1, FaultKind.REMOVED), id="beginning-removed"),
        pytest.param(lambda s: s[:3], (4, FaultKind.ROLLED_BACK), id="rolled-back"),
        pytest.param(lambda _: [], (1, FaultKind.ROLLED_BACK), id="emptied"),
        pytest.param(
            lambda s: [*s[:2], replace(s[2], signature=s[1].signature), *s[3:]],
            (3, FaultKind.UNSIGNED), id="signature-of-another",
        ),
        pytest.param(
            lambda s: [*s[:2], replace(s[2], key="L"), *s[3:]],
            (3, FaultKind.UNKNOWN_KEY), id="key-of-another",
        ),
        pytest.param(
            lambda s: [*s[:2], replace(s[2], body=s[2].body.replace("12:03", "12:02")), *s[3:]],
            (3, FaultKind.UNSIGNED), id="time-edited",
        ),
        pytest.param(
            lambda s: [*s[:2], replace(s[2], leaves=(leaf("m-1", 8), *s[2].leaves[1:])), *s[3:]],
            (3, FaultKind.EDITED), id="head-edited",
        ),
        pytest.param(
            lambda s: [*s[:2], replace(s[2], leaves=s[2].leaves[:1]), *s[3:]],
            (3, FaultKind.EDITED), id="head-left-out",
        ),
        pytest.param(
            lambda s: [*s[:2], replace(s[3], seq=3), replace(s[2], seq=4), s[4]],
            (3, FaultKind.MOVED), id="two-exchanged",
        ),
        pytest.param(
            lambda s: [*s[:2], replace(s[2], body="{}"), *s[3:]], (3, FaultKind.MOVED), id="no-body"
        ),
        pytest.param(
            lambda _: seals(5, swarm="s-2"), (1, FaultKind.MOVED), id="those-of-another-swarm"
        ),
    ],
)  # fmt: skip
def test_each_way_of_tampering_is_found_at_its_place(tamper, found):
    made = seals(5)
    count, faults = judged(tamper(made), made)
    assert faults == [found]


@pytest.mark.req("VAL-6")
def test_a_key_that_nobody_knows_is_named_once_and_hides_nothing_behind_it():
    made = seals(6)
    strange = [replace(seal, key="L") if seal.seq in {2, 4} else seal for seal in made]
    _, (fault,) = verify(SWARM, strange, {}, judge)
    assert (fault.seq, fault.kind) == (2, FaultKind.UNKNOWN_KEY)
    assert fault.detail == "2 seals, the last at 4, name L, unknown here"
    strange[4] = replace(strange[4], signature=b"")
    assert judged(strange) == (5, [(5, FaultKind.UNSIGNED), (2, FaultKind.UNKNOWN_KEY)])
    assert judged(strange[:1] + strange[2:]) == (2, [(2, FaultKind.REMOVED)])


@pytest.mark.req("VAL-6")
def test_whoever_has_the_key_but_not_the_copy_is_found_by_the_copy():
    """A new history under the true key, as after a theft, differs from what is outside."""
    made, other = seals(5), []
    for seal in made:
        last = other[-1] if other else None
        body = body_of(SWARM, last, NOON, "0", seal.leaves)
        other.append(replace(seal, body=body, signature=signed(to_sign(body))))
    assert judged(other) == (5, [])
    assert judged(other, made) == (1, [(1, FaultKind.REWRITTEN)])


@pytest.mark.req("VAL-6")
def test_a_seal_that_was_made_behind_another_one_does_not_follow():
    """Well signed and of the right number, but of a history that this database never had."""
    made = seals(3)
    body = body_of(SWARM, replace(made[1], body="other"), NOON, "3", made[2].leaves)
    grafted = replace(made[2], body=body, signature=signed(to_sign(body)))
    assert judged([*made[:2], grafted]) == (3, [(3, FaultKind.EDITED)])


@pytest.mark.req("VAL-6")
@pytest.mark.parametrize(
    ("now", "found"),
    [
        pytest.param({3: "m-1 3", 7: "m-1 7"}, None, id="untouched"),
        pytest.param({3: "m-1 3", 7: "other"}, (4, FaultKind.REWRITTEN), id="rewritten-behind-3"),
        pytest.param({3: "other", 7: "other"}, (1, FaultKind.REWRITTEN), id="rewritten-from-1"),
        pytest.param({3: "m-1 3"}, (4, FaultKind.CUT), id="tail-gone"),
        pytest.param({}, (1, FaultKind.CUT), id="all-gone"),
    ],
)
def test_a_chain_is_held_against_what_was_sealed(now, found):
    sealed = {3: leaf("m-1", 3), 7: leaf("m-1", 7)}
    fault = rewritten(sealed, {seq: digest(text) for seq, text in now.items()}, 2)
    assert (fault and (fault.seq, fault.kind)) == found
    words = {FaultKind.CUT: "is gone", FaultKind.REWRITTEN: "is not what was sealed"}
    assert fault is None or words[fault.kind] in fault.detail


LEAVES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), max_size=9).map(
    lambda found: [leaf(*one) for one in found]
)


def rfc_6962(leaves):
    """Section 2.1 as it stands there: split at the largest power of two below the number."""
    if len(leaves) == 1:
        chain, seq, newest = leaves[0]
        text = f'["{chain}",{seq},"{newest.hex()}"]'
        return hashlib.sha256(b"\x00" + text.encode()).digest()
    half = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + rfc_6962(leaves[:half]) + rfc_6962(leaves[half:])).digest()


@pytest.mark.req("VAL-6")
@pytest.mark.parametrize("count", range(1, 18))
def test_the_root_is_that_of_rfc_6962_for_every_shape_of_tree(count):
    leaves = [leaf("m-1", seq) for seq in range(count)]
    assert root(leaves) == rfc_6962(leaves)


@given(LEAVES, LEAVES)
def test_two_lists_of_heads_have_one_root_only_when_they_are_equal(one, other):
    assert (root(one) == root(other)) == (one == other)
