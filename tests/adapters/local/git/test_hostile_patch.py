"""A hostile agent's folder, by real files and real git: each trick refused by name, none merged."""

import asyncio
import os
import socket
import subprocess
import sys

import pytest

from swarm.core.policy.intake import Rule

NOON_SECONDS = 1772366400
pytestmark = pytest.mark.req("GATE-3")


@pytest.fixture
def base_repo(repo):
    repo.commit(
        {
            ".github/workflows/ci.yml": "on: push\n",
            "docs/a.md": "# A\n",
            "run.sh": "#!/bin/sh\n",
            ".gitignore": "*.pyc\nbuild/\n",
            "src/pkg/mod.py": "X = 1\n",
        }
    )
    return repo


async def taken(world, act, *, allowed=(), history=True):
    order = world.start(allowed=allowed)
    base, folder = await world.agent(order, history=history)
    act(folder)
    result = await world.forge.take_change(order, folder, base=base, at=world.forge._now())
    if result.violations:
        assert result.change is None
        heads = subprocess.run(
            ["git", "-C", str(world.clone), "for-each-ref", "--format=%(refname)"],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        assert "swarm/m-" not in heads, "a refused patch left a branch"
    return result


def write(name, data="x = 1\n"):
    def act(folder):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data if isinstance(data, bytes) else data.encode())

    return act


def link(name, target):
    def act(folder):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(target)

    return act


def shell(*argv):
    def act(folder):
        subprocess.run(argv, cwd=folder, check=True, capture_output=True)

    return act


def folder_to_link(folder):
    for path in sorted((folder / "src").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (folder / "src").rmdir()
    (folder / "src").symlink_to("/etc")


def leave_socket(folder):
    here = os.getcwd()
    os.chdir(folder)  # a socket's path may have 107 bytes only
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("agent.sock")
    finally:
        os.chdir(here)


def sparse(name, size):
    def act(folder):
        with (folder / name).open("wb") as file:
            file.truncate(size)

    return act


def nested_repository(folder):
    (folder / "vendored").mkdir()
    shell("git", "init", "-q", "vendored")(folder)
    (folder / "vendored" / "a.py").write_text("A = 1\n")


def submodule(folder):
    env = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    shell("git", "init", "-q", "sub")(folder)
    shell(*env, "-C", "sub", "commit", "-q", "--allow-empty", "-m", "x")(folder)
    shell(*env, "add", "sub")(folder)


def raw_name(name: bytes):
    def act(folder):
        path = os.path.join(os.fsencode(folder), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"x\n")

    return act


def many(count):
    def act(folder):
        for number in range(count):
            (folder / f"f{number}.txt").write_text("x\n")

    return act


TRICKS = [
    pytest.param(write(".github/workflows/ci.yml", "on: never\n"), "GuardedPath: .github/workflows/ci.yml: changes CI or repository rules", id="ci-edited"),
    pytest.param(shell("git", "mv", ".github/workflows/ci.yml", "docs/ci.yml"), "GuardedPath: .github/workflows/ci.yml: removes CI or repository rules", id="ci-renamed-away"),
    pytest.param(lambda folder: (folder / ".github/workflows/ci.yml").unlink(), "GuardedPath: .github/workflows/ci.yml: removes CI or repository rules", id="ci-removed"),
    pytest.param(write(".GitHub/workflows/x.yml"), "GuardedPath: .GitHub/workflows/x.yml: adds CI or repository rules", id="ci-other-case"),
    pytest.param(write("docs/CODEOWNERS", "* @me\n"), "GuardedPath: docs/CODEOWNERS: adds code owners", id="code-owners"),
    pytest.param(write("AGENTS.md"), "GuardedPath: AGENTS.md: adds agent instructions", id="agent-instructions"),
    pytest.param(write(".cursor/rules/a.mdc"), "GuardedPath: .cursor/rules/a.mdc: adds agent instructions", id="cursor-rules"),
    pytest.param(write(".pre-commit-config.yaml"), "GuardedPath: .pre-commit-config.yaml: adds pre-commit hooks", id="pre-commit"),
    pytest.param(write("swarm.toml"), "GuardedPath: swarm.toml: adds our own rules", id="own-settings"),
    pytest.param(link("docs/passwd", "/etc/passwd"), "Symlink: docs/passwd: a symbolic link was added, changed or removed", id="symlink-out"),
    pytest.param(link("docs/b.md", "a.md"), "Symlink: docs/b.md:", id="symlink-inside"),
    pytest.param(folder_to_link, "Symlink: src:", id="folder-becomes-a-link"),
    pytest.param(nested_repository, "GitDirectory: vendored/.git:", id="nested-repository"),
    pytest.param(submodule, "GitDirectory: sub/.git:", id="submodule-added"),
    pytest.param(write(".gitattributes", "* filter=evil\n"), "GitAttributes: .gitattributes:", id="gitattributes"),
    pytest.param(write("src/.gitattributes", "* -diff\n"), "GitAttributes: src/.gitattributes:", id="gitattributes-below"),
    pytest.param(write(".gitmodules", "[submodule]\n"), "GitModules: .gitmodules:", id="gitmodules"),
    pytest.param(write(".GIT/config", "[core]\n"), "GitDirectory: .GIT/config:", id="git-folder-other-case"),
    pytest.param(write("git~1/config", "[core]\n"), "GitDirectory: git~1/config:", id="git-folder-short-name"),
    pytest.param(write(".g\u200cit/config", "[core]\n"), "GitDirectory: .g\\u200cit/config:", id="git-folder-ignorable"),
    pytest.param(write("docs/a\nb.md"), "PathNotText: docs/a\\nb.md: contains U+000A", id="newline-in-path"),
    pytest.param(write("docs/a\u202eb.md"), "PathNotText: docs/a\\u202eb.md: contains U+202E", id="bidi-in-path"),
    pytest.param(raw_name(b"docs/a\xff.md"), "PathNotText: docs/a\\udcff.md: is not valid UTF-8", id="path-not-utf8"),
    pytest.param(write("docs/x.py", "ok = 1  # \u202e } \u2066if admin\u2069\n"), "HiddenText: docs/x.py: line 1: U+202E RIGHT-TO-LEFT OVERRIDE", id="trojan-source"),
    pytest.param(write("docs/x.py", "a = 'admin\u200b'\n"), "HiddenText: docs/x.py: line 1: U+200B ZERO WIDTH SPACE", id="zero-width"),
    pytest.param(write("docs/x.md", "hi\U000e0041\U000e0042\n"), "HiddenText: docs/x.md: line 1: U+E0041 TAG LATIN CAPITAL LETTER A", id="tag-characters"),
    pytest.param(write("docs/x.txt", "a\x1b[2Jb\n"), "HiddenText: docs/x.txt: line 1: U+001B", id="escape-sequence"),
    pytest.param(write("logo.png", b"\x89PNG\0\0"), "BinaryContent: logo.png:", id="binary"),
    pytest.param(shell("chmod", "+x", "docs/a.md"), "ModeChanged: docs/a.md: the file was made executable", id="made-executable"),
    pytest.param(shell("mkfifo", "docs/pipe"), "SpecialFile: docs/pipe: fifo:", id="fifo"),
    pytest.param(lambda f: (f / "docs/a.md").unlink() or os.mkfifo(f / "docs/a.md"), "SpecialFile: docs/a.md: fifo:", id="file-becomes-a-fifo"),
    pytest.param(lambda f: (f / ".gitignore").unlink() or os.mkfifo(f / ".gitignore"), "SpecialFile: .gitignore: fifo:", id="ignore-file-becomes-a-fifo"),
    pytest.param(sparse(".gitignore", 10**10), "SpecialFile: .gitignore: ignore file over 1 MiB:", id="giant-ignore-file"),
    pytest.param(lambda f: (f / "docs/a.md").chmod(0), "SpecialFile: docs/a.md: unreadable:", id="unreadable-file"),
    pytest.param(lambda f: (f / "docs").chmod(0), "SpecialFile: docs: unreadable:", id="unreadable-folder"),
    pytest.param(leave_socket, "SpecialFile: agent.sock: socket:", id="socket"),
    pytest.param(sparse("docs/big.txt", 10**9), "PatchTooLarge: (patch): 1000000000 bytes", id="one-gigabyte"),
    pytest.param(sparse("docs/a.md", 10**9), "FileTooLarge: docs/a.md: 1000000000 bytes", id="one-gigabyte-over-a-known-file"),
    pytest.param(sparse("docs/sparse.bin", 2**40), "FileTooLarge: docs/sparse.bin:", id="one-terabyte-sparse"),
    pytest.param(many(101), "TooManyFiles: (patch): 101 files, at most 100", id="too-many-files"),
    pytest.param(write("src/settings.py", "TOKEN = 'ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'\n"), "SecretInPatch: src/settings.py: line 1: GitHub Token: ghp_***", id="github-token"),
    pytest.param(write("k.pem", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n"), "SecretInPatch: k.pem: line 1: Private Key", id="private-key"),
    pytest.param(write("c.py", "AWS = 'AKIAIOSFODNN7EXAMPLE'\n"), "SecretInPatch: c.py: line 1: AWS Access Key: AKIA***", id="aws-key"),
    pytest.param(write("c.py", "password = 'tr0ub4dor&3xyz'\n"), "SecretInPatch: c.py: line 1: Secret Keyword: tr0***", id="password"),
    pytest.param(write("back\\slash.py"), "PathNotPortable: back\\slash.py:", id="backslash"),
    pytest.param(write("docs/a.md "), "PathNotPortable: docs/a.md :", id="trailing-space"),
    pytest.param(write("docs/" + "a" * 200 + "/" + "b" * 200 + "/" + "c" * 200 + "/" + "d" * 200 + "/" + "e" * 200 + "/" + "f" * 200 + ".md"), "PathTooLong:", id="long-path"),
    pytest.param(lambda f: (f / "/".join(["d"] * 70)).mkdir(parents=True), "SpecialFile: d/d/", id="deep-folders"),
    pytest.param(lambda f: (write("docs/B.md")(f), write("docs/b.md")(f)), "PathCollides: docs/B.md:", id="two-paths-differ-in-case"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "line"), TRICKS)
async def test_a_trick_is_refused_by_name(base_repo, make_world, act, line):
    result = await taken(make_world(base_repo), act)
    said = [str(violation) for violation in result.violations]
    assert any(entry.startswith(line) for entry in said), said
    assert all("\n" not in entry for entry in said)
    assert "a1B2c3D4" not in "".join(said), "a secret's value was printed"


async def test_every_trick_of_one_patch_is_told_in_one_line_each(base_repo, make_world):
    def act(folder):
        shell("git", "mv", ".github/workflows/ci.yml", "docs/ci.yml")(folder)
        for name in (".GitHub/x.yml", ".gitattributes", "docs/a\nb.md"):
            write(name)(folder)
        write("docs/x.py", "a = 1 # \u202e\n")(folder)
        link("docs/l", "/etc/passwd")(folder)

    result = await taken(make_world(base_repo), act)
    assert {violation.rule for violation in result.violations} == {
        Rule.GUARDED_PATH, Rule.GIT_ATTRIBUTES, Rule.PATH_NOT_TEXT, Rule.HIDDEN_TEXT, Rule.SYMLINK,
    }  # fmt: skip


async def test_a_file_outside_the_missions_paths_is_refused(base_repo, make_world):
    result = await taken(make_world(base_repo), write("src/pkg/mod.py"), allowed=("docs",))
    assert [str(v) for v in result.violations] == [
        "OutsideAllowedPaths: src/pkg/mod.py: the mission may touch docs"
    ]


async def test_deleted_and_skipped_tests_are_counted(base_repo, make_world):
    world = make_world(base_repo)
    result = await taken(world, lambda folder: (folder / "tests/test_app.py").unlink())
    assert result.change.tests_removed == 1


async def test_a_skipped_test_counts_as_removed(base_repo, make_world):
    text = "import pytest\n\n\n@pytest.mark.skip\ndef test_a():\n    assert 1\n"
    result = await taken(make_world(base_repo), write("tests/test_app.py", text))
    assert result.change.tests_removed == 1


async def test_deleted_tests_can_be_refused_at_once(base_repo, make_world):
    world = make_world(base_repo, intake={"tests": "refuse"})
    result = await taken(world, lambda folder: (folder / "tests/test_app.py").unlink())
    assert [str(v) for v in result.violations] == ["TestsRemoved: (patch): 1 live tests fewer"]


async def test_guarded_files_can_be_taken_as_r3_and_are_listed(base_repo, make_world):
    world = make_world(base_repo, intake={"guarded": "r3"})
    result = await taken(world, write(".github/workflows/ci.yml", "on: pull_request\n"))
    assert result.change.guarded == (".github/workflows/ci.yml",)


async def test_what_the_agent_staged_committed_or_left_is_one_change(base_repo, make_world):
    def act(folder):
        write("docs/committed.md", "one\n")(folder)
        shell("git", "add", "-A")(folder)
        shell("git", "commit", "-q", "-m", "x")(folder)
        write("docs/staged.md", "two\n")(folder)
        shell("git", "add", "-A")(folder)
        write("docs/left.md", "three\n")(folder)
        write("cache.pyc", "x")(folder)
        write("build/out.txt", "x")(folder)

    result = await taken(make_world(base_repo), act)
    assert result.change.paths == ("docs/committed.md", "docs/left.md", "docs/staged.md")
    assert result.change.lines_added == 3


async def test_an_unchanged_folder_is_no_change(base_repo, make_world):
    result = await taken(make_world(base_repo), lambda folder: None)
    assert (result.change, result.violations) == (None, ())


async def test_a_plain_folder_without_git_is_read_all_the_same(base_repo, make_world):
    result = await taken(make_world(base_repo), write("docs/a.md", "# B\n"), history=False)
    assert result.change.paths == ("docs/a.md",)


async def test_the_folders_own_git_settings_start_nothing(base_repo, make_world, tmp_path):
    """Its config, hooks, filters, attributes and index are the agent's, so they are not read."""
    mark = tmp_path / "ran"

    def act(folder):
        program = tmp_path / "evil"
        program.write_text(f"#!/bin/sh\ntouch '{mark}'\ncat\n")
        program.chmod(0o755)
        for key in ("core.fsmonitor", "core.hooksPath", "diff.external", "filter.x.clean",
                    "filter.x.process", "core.sshCommand", "core.pager", "core.editor",
                    "core.alternateRefsCommand", "uploadpack.packObjectsHook"):  # fmt: skip
            shell("git", "config", key, str(program))(folder)
        (folder / ".git/info/attributes").write_text("* filter=x diff=x merge=x\n")
        (folder / ".git/hooks").mkdir(exist_ok=True)
        (folder / ".git/hooks/post-index-change").write_bytes(program.read_bytes())
        (folder / ".git/hooks/post-index-change").chmod(0o755)
        (folder / ".git/index").write_bytes(b"garbage")
        write("docs/a.md", "# B\n")(folder)

    result = await taken(make_world(base_repo), act)
    assert result.change.paths == ("docs/a.md",)
    assert not mark.exists()


async def test_a_patch_of_a_gigabyte_costs_neither_memory_nor_time(base_repo, make_world):
    """Peak memory of a whole intake process stays far below the patch's size."""
    world = make_world(base_repo)
    order = world.start()
    base, folder = await world.agent(order)
    sparse("docs/big.txt", 10**9)(folder)
    sparse("docs/a.md", 10**9)(folder)
    script = f"""
import asyncio, resource, datetime, pathlib
from swarm.adapters.local.git.plumbing import Git
from swarm.adapters.local.git.survey import survey
from swarm.core.policy.intake import IntakeRules, judge
async def main():
    rules = IntakeRules()
    seen = await survey(Git(pathlib.Path({str(world.clone)!r})), pathlib.Path({str(folder)!r}), {base!r}, rules)
    print(*judge(seen.touched, rules), sep="\\n")
asyncio.run(main())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    begun = asyncio.get_running_loop().time()
    said = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    *lines, peak = said.stdout.splitlines()
    assert any(line.startswith("FileTooLarge: docs/a.md") for line in lines)
    assert int(peak) < 300 * 1024
    assert asyncio.get_running_loop().time() - begun < 15


async def test_a_taken_run_is_taken_once_whatever_its_folder_holds_later(base_repo, make_world):
    world = make_world(base_repo)
    order = world.start()
    base, folder = await world.agent(order)
    write("docs/a.md", "# B\n")(folder)
    one = await world.forge.take_change(order, folder, base=base, at=world.forge._now())
    write("docs/a.md", "# C\n")(folder)
    two = await world.forge.take_change(order, folder, base=base, at=world.forge._now())
    assert one == two


async def test_a_fix_attempt_makes_one_commit_on_the_same_base(base_repo, make_world, run_git):
    world = make_world(base_repo)
    first = (await world.change({"docs/a.md": "# B\n"})).change
    fix = await world.change({"docs/b.md": "more\n"}, attempt=1, base=first.head, onto=first.base)
    assert fix.change.base == first.base
    assert fix.change.paths == ("docs/a.md", "docs/b.md")
    assert run_git(world.clone, "rev-parse", "swarm/m-0123456789abcdef0123") == fix.change.head
    assert run_git(world.clone, "rev-parse", f"{fix.change.head}^") == first.base


async def test_a_fix_attempt_that_changes_nothing_produced_nothing(base_repo, make_world):
    world = make_world(base_repo)
    first = (await world.change({"docs/a.md": "# B\n"})).change
    fix = await world.change({}, attempt=1, base=first.head, onto=first.base)
    assert (fix.change, fix.violations) == (None, ())


async def test_a_late_earlier_attempt_does_not_take_the_branch_back(base_repo, make_world, run_git):
    world = make_world(base_repo)
    late = world.start(attempt=1)
    base, folder = await world.agent(late)
    write("docs/a.md", "# late\n")(folder)
    newer = (await world.change({"docs/a.md": "# newer\n"}, attempt=2)).change
    await world.forge.take_change(late, folder, base=base, at=world.forge._now())
    assert run_git(world.clone, "rev-parse", "swarm/m-0123456789abcdef0123") == newer.head
