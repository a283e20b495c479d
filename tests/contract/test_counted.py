import pytest

from swarm.contract.counted import counted


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 open missions"), (1, "1 open mission"), (2, "2 open missions")]
)
def test_a_noun_is_plural_unless_there_is_one(count, said):
    assert counted(count, "open mission") == said
