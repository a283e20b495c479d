"""Which tests stand for which: none for one of another file that no runner finds any more."""

import pytest

from swarm.core.policy import intake
from swarm.core.policy.intake import TouchedPath

GO = ("shop_test.go", "func TestShop(t *testing.T) {}\n")
FOUND = ("tests/test_shop.py", "def test_shop(): ...\n")
NOT_FOUND = ("tests/old_shop.py", "def test_shop(): ...\n")
PLAIN = 0o100644


def removed(path, text):
    return TouchedPath(path=path, old_mode=PLAIN, new_mode=0, old=text)


def added(path, text):
    return TouchedPath(path=path, old_mode=0, new_mode=PLAIN, new=text)


@pytest.mark.parametrize(
    ("gone", "instead", "fewer"),
    [
        pytest.param(GO, NOT_FOUND, 1, id="a-file-that-no-runner-finds"),
        pytest.param(GO, FOUND, 0, id="a-file-that-is-found-by-its-name"),
        pytest.param(FOUND, GO, 0, id="a-file-that-is-found-by-what-is-in-it"),
    ],
)
def test_a_test_is_only_made_up_for_where_a_runner_finds_the_new_one(gone, instead, fewer):
    """Python finds tests by a file's name, Go by what is in it: each by its own habit."""
    assert intake.tests_removed((removed(*gone), added(*instead))) == fewer
