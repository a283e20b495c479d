"""One policy, one text, one hash."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.contract.canonical import canonical_spec, policy_hash
from swarm.contract.validate import check_swarm, load_swarms

QUANT = "4241074ee2685744447458fff63c5c3db6631d172665537036cb09f3a063f51a"

pytestmark = pytest.mark.req("MODE-5")


def spec_of(good, **blocks):
    return check_swarm(good | {"spec": good["spec"] | blocks}).spec


@pytest.mark.parametrize(
    "blocks",
    [
        {"risk": {"freezeDuration": "60m"}},
        {"risk": {"freezeDuration": "1h"}},
        {"risk": {"freezeDuration": "3600s", "freezeAfterFailures": 3.0}},
        {"risk": {}},
        {"risk": None},
        {"discovery": {"minConfidence": 0.75, "minCitations": 2}},
        {"delivery": {"rollout": {"strategy": "canary"}}},
    ],
)
def test_two_spellings_of_one_policy_have_one_hash(good, blocks):
    assert policy_hash(spec_of(good, **blocks)) == policy_hash(spec_of(good))


@pytest.mark.parametrize(
    "blocks",
    [
        {"mode": "lights-out"},
        {"risk": {"freezeDuration": "61m"}},
        {"discovery": {"minConfidence": 0.7500001}},
        {"delivery": {"repoAllowlist": ["acme/shop"]}},
        {"execution": {"plan": {"enabled": False}}},
        {"timezone": "UTC"},
    ],
)
def test_another_policy_has_another_hash(good, blocks):
    assert policy_hash(spec_of(good, **blocks)) != policy_hash(spec_of(good))


def test_the_order_of_the_fields_does_not_matter(good):
    turned = dict(reversed(list(good["spec"].items())))
    assert policy_hash(check_swarm(good | {"spec": turned}).spec) == policy_hash(spec_of(good))


def test_the_hash_is_the_sha256_of_the_canonical_text(manifest):
    (swarm,) = load_swarms(manifest("torghut-quant"), source="x")
    text = canonical_spec(swarm.spec)
    assert text == json.dumps(
        json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert '"freezeDuration":"1h"' in text
    assert "null" not in text
    assert re.fullmatch("[0-9a-f]{64}", policy_hash(swarm.spec))
    # A fixed value: another release must not change the hashes that approvals are bound to.
    assert policy_hash(swarm.spec) == QUANT


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1))
def test_the_canonical_text_is_the_same_policy_again(text):
    good = {
        "apiVersion": "swarm.proompteng.ai/v1alpha1",
        "kind": "Swarm",
        "metadata": {"name": "a"},
        "spec": {
            "owner": {"id": "o", "channel": "c"},
            "domains": ["d"],
            "objectives": [text],
            "mode": "assisted",
        },
    }
    spec = check_swarm(good).spec
    again = check_swarm(good | {"spec": json.loads(canonical_spec(spec))}).spec
    assert again == spec
    assert policy_hash(again) == policy_hash(spec)
