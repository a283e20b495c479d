"""The second, independent voices: the reference search and the warnings that tests raise."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

from swarm.adapters.local.sources import references, warnings_seen

pytestmark = pytest.mark.req("LOOP-3")


def found(tmp_path, **files: str) -> list[tuple[str, str, int]]:
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/", 1).removesuffix("_py")
        path = path.with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    repository = references.Repository(references.modules(tmp_path))
    return [(f["rule"], f["path"], f["line"]) for f in repository.findings()]


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("import os\n", ["F401"]),
        ("import os, re\nre\n", ["F401"]),
        ("from os import path as p\n", ["F401"]),
        ("def f():\n    import os\n", ["F401"]),
        ("import os.path\nos.getcwd()\n", []),
        ("import os as os\n", []),
        ("from __future__ import annotations\n", []),
        ("import os  # noqa\n", []),
        ("import os  # noqa: E501,F401\n", []),
        ("import os  # noqa: E501\n", ["F401"]),
        ("import os\n__all__ = ['os']\n", []),
        ("import typing\nx: 'typing.Any' = 1\n", []),
        ("try:\n    import yaml\nexcept ImportError:\n    pass\n", []),
        ("from a import *\nimport os\n", []),
        ("import os\ndel os\n", []),
        ("def f():\n    x = 1\n", ["F841"]),
        ("def f():\n    x = 1\n    def g():\n        return x\n", []),
        ("def f():\n    _x = 1\n", []),
        ("def f():\n    x = 1\n    return locals()\n", []),
        ("def f():\n    global x\n    x = 1\n", []),
        ("def f():\n    x, y = 1, 2\n    return y\n", []),
        ("def f():\n    try:\n        pass\n    except OSError as e:\n        pass\n", ["F841"]),
        ("import datetime\ndatetime.datetime.utcnow()\n", ["DTZ003"]),
        ("from datetime import datetime as d\nd.utcnow()\n", ["DTZ003"]),
        ("import datetime as t\nt.datetime.utcfromtimestamp(0)\n", ["DTZ004"]),
        ("import logging\nlogging.warn('x')\n", ["G010"]),
        ("from other import datetime\ndatetime.utcnow()\n", []),
        ("class T:\n    def t(self):\n        self.assertEquals(1, 1)\n", ["UP005"]),
        ("def broken(:\n", []),
    ],
)
def test_what_has_no_use_is_found_and_what_may_have_one_is_not(tmp_path, text, rules):
    assert [rule for rule, _, _ in found(tmp_path, a_py=text)] == rules


def test_a_use_in_another_file_counts(tmp_path):
    assert found(tmp_path, a_py="import os\n", b_py="from a import os\nos\n") == []
    assert found(tmp_path, a_py="import os\n", b_py="import a\na.os\n") == []
    assert found(tmp_path, a_py="import os\n", b_py="patch('a.os')\n") == []
    assert found(tmp_path, a_py="import os\n", b_py="from a import *\n") == []


def test_a_package_passes_on_what_it_imports(tmp_path):
    assert found(tmp_path, pkg____init___py="from os import path\n") == []


def test_foreign_and_hidden_folders_are_left_out(tmp_path):
    for folder in (".venv", "node_modules", "site-packages"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("import os\n")
    (tmp_path / "link.py").symlink_to("/etc/hostname")
    assert found(tmp_path) == []


def test_it_finds_what_ruff_finds_and_nothing_that_ruff_does_not(tmp_path):
    """Two independent programs over this very package: every finding of ours is one of ruff's."""
    files = {
        "a.py": "import os\nimport re\n\n\ndef f():\n    x = 1\n    return re\n",
        "pkg/b.py": "from datetime import datetime\nimport sys\nprint(datetime.utcnow())\n",
        "pkg/c.py": "import logging, json\nlogging.warn(json)\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        "F401,F841,DTZ003,DTZ004,G010",
    ]
    ran = subprocess.run(
        [*command, "--output-format=json", "."], cwd=tmp_path, capture_output=True, check=False
    )
    top = f"{tmp_path.resolve()}/"
    ruff = {
        (entry["code"], entry["filename"].removeprefix(top), entry["location"]["row"])
        for entry in json.loads(ran.stdout)
    }
    assert set(found(tmp_path)) == ruff
    assert len(ruff) == 5


# --- warnings -----------------------------------------------------------------------------------


def seen(tmp_path, *command: str):
    program = [sys.executable, "-P", "-m", "swarm.adapters.local.sources.warnings_seen", "--"]
    ran = subprocess.run(
        [*program, *command], cwd=tmp_path, capture_output=True, check=False, text=True
    )
    return ran.returncode, [json.loads(line) for line in ran.stdout.splitlines()], ran.stderr


@pytest.mark.slow
def test_a_warning_of_a_test_run_is_a_statement_under_the_linters_rule(tmp_path):
    (tmp_path / "app.py").write_text("import logging\n\ndef f():\n    logging.warn('x')\n")
    (tmp_path / "test_app.py").write_text("import app\n\ndef test_f():\n    app.f()\n")
    code, statements, said = seen(
        tmp_path, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"
    )
    assert code == 0, said
    (one,) = statements
    assert (one["rule"], one["path"], one["line"]) == ("G010", "app.py", 4)
    assert one["author"] == "warnings-seen"


def test_a_plain_script_is_heard_too(tmp_path):
    (tmp_path / "app.py").write_text("import warnings\nwarnings.warn('old', DeprecationWarning)\n")
    _, (one,), _ = seen(tmp_path, sys.executable, "app.py")
    assert (one["rule"], one["title"]) == ("DeprecationWarning", "DeprecationWarning old")


def test_utcnow_is_heard_where_python_warns_of_it(tmp_path):
    """Python 3.12 and newer do; what they print is given here word for word."""
    (tmp_path / "a.py").write_text("\n")
    output = (
        f"{tmp_path}/a.py:1: DeprecationWarning: datetime.datetime.utcnow() is deprecated and"
        " scheduled for removal in a future version. Use timezone-aware objects\n"
        f"  {tmp_path}/a.py:1: DeprecationWarning: datetime.datetime.utcnow() is deprecated\n"
        "/usr/lib/python3/dist.py:4: DeprecationWarning: not ours\n"
        "../b.py:4: DeprecationWarning: outside\n"
    )
    (one,) = warnings_seen.statements(output, tmp_path)
    assert (one["rule"], one["path"]) == ("DTZ003", "a.py")


@pytest.mark.slow
def test_red_tests_are_heard_and_broken_ones_are_down(tmp_path):
    assert seen(tmp_path, sys.executable, "-c", "raise SystemExit(1)")[0] == 0
    code, statements, said = seen(tmp_path, sys.executable, "-c", "raise SystemExit('5')")
    assert (code, statements) == (0, [])
    code, _, said = seen(tmp_path, sys.executable, "-c", "import sys; sys.exit(5)")
    assert code == 2
    assert "ended with 5" in said
    assert seen(tmp_path, "no-such-program")[0] == 2
