"""What a check is defined by in the repository itself, so that a change of it guards as CI does."""

import pytest

from swarm.adapters.local.checks import definition

pytestmark = pytest.mark.req("GATE-2", "GATE-3")


@pytest.mark.parametrize(
    ("run", "files"),
    [
        (["make", "test"], ("GNUmakefile", "makefile")),
        (["make", "-f", "ci/rules.mk", "t"], ("GNUmakefile", "makefile", "ci/rules.mk")),
        (["./ci/test.sh", "-v"], ("ci/test.sh",)),
        (["scripts/check"], ("scripts/check",)),
        (["bash", "-eu", "ci/test.sh"], ("ci/test.sh",)),
        (["sh", "-c", "pytest -q"], ()),
        (["bash", "-lc", "ci/test.sh"], ()),
        (["node", "tools/check.js"], ("tools/check.js",)),
        (["node", "-e", "1"], ()),
        (["{python}", "tools/check.py", "src"], ("tools/check.py",)),
        (["{python}", "-c", "print(1)"], ()),
        (
            ["python3.12", "-m", "pytest", "-q"],
            ("pytest.py", "pytest/__init__.py", "pytest/__main__.py"),
        ),
        (["{python}", "-P", "-m", "ruff", "check", "."], ()),
        (["ruff", "check", "src"], ()),
        (["/usr/bin/env", "x"], ()),
        (["bash", "/opt/ci/test.sh"], ()),
        (["bash", "../test.sh"], ()),
    ],
)
def test_the_other_half_of_a_command_is_named(run, files):
    assert definition.files(run, "") == files


def test_the_folder_that_it_runs_in_stands_before_it():
    assert definition.files(["make", "test"], "web") == ("web/GNUmakefile", "web/makefile")
