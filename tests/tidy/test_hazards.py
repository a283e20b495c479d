"""What is never written here: a shell between us and a command, a sleep in a test,
a host to fetch packages from."""

from __future__ import annotations

import ast

import pytest

from tree import dotted, every_file, files, parsed, short, text, walked

SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
STARTERS = {"run", "Popen", "call", "check_call", "check_output", "create_subprocess_exec"}
#: In halves, so that this file passes its own test.
HOSTS = [
    *(".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))),
    *(".".join(parts) for parts in (("crates", "io"), ("ghcr", "io"), ("docker", "io"))),
    *(".".join(parts) for parts in (("quay", "io"), ("gcr", "io"), ("golang", "org"))),
    *(".".join(parts) for parts in (("deb", "debian", "org"), ("rubygems", "org"))),
]
TEXTS = {".py", ".md", ".toml", ".lock", ".sql", ".yaml", ".yml", ".json", ".sh", ".cfg", ""}


def shells(tree: ast.Module) -> list[tuple[int, str]]:
    """Each call that would put a shell between us and a command."""
    found = []
    for node in walked(tree):
        if not isinstance(node, ast.Call):
            continue
        if dotted(node.func) in SHELLS or dotted(node.func).endswith("create_subprocess_shell"):
            found.append((node.lineno, dotted(node.func)))
        called = dotted(node.func).rpartition(".")[2]
        for keyword in node.keywords:
            constant = isinstance(keyword.value, ast.Constant)
            wanted = keyword.value.value is True if constant else called in STARTERS
            if keyword.arg == "shell" and wanted:
                found.append((node.lineno, "shell="))
    return found


def sleeps(tree: ast.Module) -> list[tuple[int, str]]:
    """Each call of `time.sleep`, under whatever name it was imported."""
    names = {"time.sleep"}
    for node in walked(tree):
        if isinstance(node, ast.Import):
            names |= {f"{a.asname}.sleep" for a in node.names if a.name == "time" and a.asname}
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            names |= {a.asname or a.name for a in node.names if a.name == "sleep"}
    calls = (node for node in walked(tree) if isinstance(node, ast.Call))
    return [(call.lineno, "sleeps") for call in calls if dotted(call.func) in names]


def gather(check, *folders: str, words: set[str]) -> list[str]:
    """What a check finds; only a file that has one of the words is worth parsing."""
    return [
        f"{short(path)}:{line} {what}"
        for path in files(*folders, ending=".py")
        if any(word in text(path) for word in words)
        for line, what in check(parsed(path))
    ]


def test_no_command_goes_through_a_shell():
    words = {"shell", *(name.rpartition(".")[2] for name in SHELLS)}
    assert not (found := gather(shells, words=words)), "\n".join(found)


def test_no_test_sleeps():
    """A sleep hides a race on a quick machine and loses it on a slow one; wait for the event.

    Programs that tests start as processes of their own may be slow on purpose.
    """
    found = [
        f"{short(path)}:{line} {what}"
        for path in files("tests", ending=".py")
        if (path.name.startswith("test_") or path.name == "conftest.py") and "sleep" in text(path)
        for line, what in sleeps(parsed(path))
    ]
    assert not found, "\n".join(found)


def test_no_file_names_a_package_registry():
    """The machine that installs knows where packages come from; the locks say what may come."""
    found = [
        f"{short(path)} names {host}"
        for path in every_file()
        if path.suffix in TEXTS
        for host in HOSTS
        if host in path.read_text(encoding="utf-8", errors="replace")
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("check", "line"),
    [
        (shells, "subprocess.run('ls', shell=True)"),
        (shells, "subprocess.run('ls', shell=wanted)"),
        (shells, "os.system('ls')"),
        (sleeps, "import time; time.sleep(1)"),
        (sleeps, "from time import sleep as nap; nap(1)"),
        (sleeps, "import time as t; t.sleep(1)"),
    ],
)
def test_a_hazard_is_noticed(check, line):
    assert check(ast.parse(line))


@pytest.mark.parametrize(
    ("check", "line"),
    [
        (shells, "subprocess.run(['ls'], shell=False)"),
        (shells, "completion(shell=name)"),
        (sleeps, "clock.sleep(1)"),
    ],
)
def test_the_harmless_passes(check, line):
    assert not check(ast.parse(line))
