"""Names of objects as people and scripts write them."""

import pytest

from swarm.adapters.postgres.store.desk.reference import bare
from swarm.cli.kinds import KINDS


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("mission/m-41c0", "m-41c0"),
        ("change/m-41c0/1", "m-41c0/1"),
        ("swarm/shop", "shop"),
        ("swarm/m-41c0", "m-41c0"),  # a branch: the mission's id either way
        ("m-41c0/sync/1", "m-41c0/sync/1"),
        ("default/shop", "default/shop"),
        ("mission/", "mission/"),
        ("/m-41c0", "/m-41c0"),
        ("m-41c0", "m-41c0"),
        ("", ""),
    ],
)
def test_a_kind_in_front_is_no_part_of_the_name(said, meant):
    assert bare(said) == meant


def test_every_kind_that_get_prints_is_known():
    for kind in KINDS:
        assert bare(f"{kind.single.lower()}/x") == "x", kind.single
