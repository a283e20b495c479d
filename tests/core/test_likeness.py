"""Likeness: the estimate is right, alike texts meet, others do not, and nothing ever changes."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.likeness import (
    ALIKE,
    BANDS,
    GRAM,
    MINIMA,
    _constants,
    bands,
    from_bytes,
    signatures,
    similarity,
    to_bytes,
)

WORDS = [
    "".join(random.Random(seed).choices("abcdefghijklmnoprstuvwz", k=3 + seed % 7))
    for seed in range(4000)
]


def text(rng, words=28):
    return " ".join(rng.choices(WORDS, k=words))


def copied(rng, original, replaced):
    words = original.split()
    for place in rng.sample(range(len(words)), replaced):
        words[place] = rng.choice(WORDS)
    return " ".join(words)


def jaccard(one, other):
    first = {one[i : i + GRAM] for i in range(len(one) - GRAM + 1)}
    second = {other[i : i + GRAM] for i in range(len(other) - GRAM + 1)}
    return len(first & second) / len(first | second)


def test_signatures_estimate_the_jaccard_similarity():
    """The estimate is a mean of 128 coin tosses: its standard error is at most 0.044."""
    rng = random.Random(1)
    errors = []
    for replaced in (1, 2, 4, 8, 14):
        for _ in range(40):
            one = text(rng)
            other = copied(rng, one, replaced)
            found = signatures([one, other])
            errors.append(similarity(found[0], found[1:])[0] - jaccard(one, other))
    assert abs(np.mean(errors)) < 0.01
    assert np.std(errors) < 0.055


@pytest.mark.slow
@pytest.mark.req("LOOP-3")
def test_near_copies_meet_in_a_band_and_are_alike():
    """28 words of which 1 to 4 are replaced, where two thirds of the 5-grams are left."""
    rng = random.Random(2)
    pairs = [
        (one, copied(rng, one, rng.randrange(1, 5))) for one in (text(rng) for _ in range(3000))
    ]
    originals, copies = zip(*(pair for pair in pairs if jaccard(*pair) >= 0.66), strict=True)
    first, second = signatures(originals), signatures(copies)
    scopes = ["s"] * len(originals)
    meet = (bands(first, scopes) == bands(second, scopes)).any(axis=1)
    alike = (first == second).mean(axis=1) >= ALIKE
    assert (meet & alike).mean() >= 0.96


@pytest.mark.slow
@pytest.mark.req("LOOP-3")
def test_different_texts_are_not_alike():
    rng = random.Random(3)
    found = signatures([text(rng) for _ in range(600)])
    shares = (found[:, None, :] == found[None, :, :]).mean(axis=2)
    np.fill_diagonal(shares, 0.0)
    assert shares.max() < ALIKE - 0.1


def test_equal_texts_of_different_scopes_never_meet():
    found = signatures(["the same words in two places"] * 2)
    one, other = bands(found, ["orders", "billing"])
    assert not (one == other).any()


@given(st.lists(st.text(max_size=80), max_size=8))
def test_a_signature_does_not_depend_on_its_neighbours(texts):
    together = signatures(texts)
    assert together.shape == (len(texts), MINIMA)
    for index, own in enumerate(texts):
        assert (signatures([own])[0] == together[index]).all()


@given(st.lists(st.text(max_size=40), min_size=1, max_size=5))
def test_signatures_survive_storage(texts):
    found = signatures(texts)
    assert (from_bytes([to_bytes(row) for row in found]) == found).all()
    assert bands(found, ["s"] * len(texts)).shape == (len(texts), BANDS)


def test_the_constants_are_the_stored_ones():
    """A need keeps its signature for ever: another constant would make old needs unfindable."""
    assert _constants("swarm minhash band", 2).tolist() == [
        int.from_bytes(hashlib.sha256(f"swarm minhash band {n}".encode()).digest()[:8], "big")
        for n in (0, 1)
    ]
    found = signatures(["the payment worker loses its connection after a failover"])
    assert found[0, :4].tolist() == [6424, 40731, 24196, 47333]
    assert bands(found, ["docs"])[0, :3].tolist() == [781216039, 648251378, -364849953]
