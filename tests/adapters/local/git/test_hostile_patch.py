"""A hostile agent's folder, by real files and real git: each trick refused by name, none merged."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from datetime import timedelta

import pytest

from swarm.adapters.local.git.errors import GitTimedOut
from swarm.adapters.local.git.plumbing import Git
from swarm.adapters.local.git.survey import survey
from swarm.core.policy.intake import IntakeRules, Rule, judge

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


def program(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


async def taken(world, act, *, allowed=(), history=True):
    order = world.start(allowed=allowed)
    base, folder = await world.agent(order, history=history)
    act(folder)
    result = await world.forge.take_change(order, folder, base=base, at=world.forge._now())
    if result.violations:
        assert result.change is None
        heads = program("git", "-C", str(world.clone), "for-each-ref", "--format=%(refname)")
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
    # A socket's path may have 107 bytes only, so it is bound from inside the folder.
    with contextlib.chdir(folder), socket.socket(socket.AF_UNIX) as server:
        server.bind("agent.sock")


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
        path = folder / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x\n")

    return act


def many(count):
    def act(folder):
        for number in range(count):
            (folder / f"f{number}.txt").write_text("x\n")

    return act


CI = "GuardedPath: .github/workflows/ci.yml"
LONG = "/".join(["docs", *("x" * 200 for _ in range(6))])

TRICKS = {
    "ci-edited": (write(".github/workflows/ci.yml", "on: never\n"), f"{CI}: changes"),
    "ci-renamed-away": (
        shell("git", "mv", ".github/workflows/ci.yml", "docs/ci.yml"),
        f"{CI}: removes",
    ),
    "ci-removed": (lambda folder: (folder / ".github/workflows/ci.yml").unlink(), f"{CI}: removes"),
    "ci-other-case": (
        write(".GitHub/workflows/x.yml"),
        "GuardedPath: .GitHub/workflows/x.yml: adds",
    ),
    "code-owners": (
        write("docs/CODEOWNERS", "* @me\n"),
        "GuardedPath: docs/CODEOWNERS: adds code owners",
    ),
    "agent-instructions": (write("AGENTS.md"), "GuardedPath: AGENTS.md: adds agent instr"),
    "cursor-rules": (
        write(".cursor/rules/a.mdc"),
        "GuardedPath: .cursor/rules/a.mdc: adds agent instr",
    ),
    "pre-commit": (
        write(".pre-commit-config.yaml"),
        "GuardedPath: .pre-commit-config.yaml: adds pre-commit hooks",
    ),
    "own-settings": (write("swarm.toml"), "GuardedPath: swarm.toml: adds our own rules"),
    "symlink-out": (link("docs/passwd", "/etc/passwd"), "Symlink: docs/passwd: "),
    "symlink-inside": (link("docs/b.md", "a.md"), "Symlink: docs/b.md:"),
    "folder-becomes-a-link": (folder_to_link, "Symlink: src:"),
    "nested-repository": (nested_repository, "GitDirectory: vendored/.git:"),
    "submodule-added": (submodule, "GitDirectory: sub/.git:"),
    "gitattributes": (write(".gitattributes", "* filter=evil\n"), "GitAttributes: .gitattributes:"),
    "gitattributes-below": (
        write("src/.gitattributes", "* -diff\n"),
        "GitAttributes: src/.gitattributes:",
    ),
    "gitmodules": (write(".gitmodules", "[submodule]\n"), "GitModules: .gitmodules:"),
    "git-folder-other-case": (write(".GIT/config", "[core]\n"), "GitDirectory: .GIT/config:"),
    "git-folder-short-name": (write("git~1/config", "[core]\n"), "GitDirectory: git~1/config:"),
    "git-folder-ignorable": (
        write(".g\u200cit/config", "[core]\n"),
        "GitDirectory: .g\\u200cit/config:",
    ),
    "newline-in-path": (write("docs/a\nb.md"), "PathNotText: docs/a\\nb.md: contains U+000A"),
    "bidi-in-path": (write("docs/a\u202eb.md"), "PathNotText: docs/a\\u202eb.md: contains U+202E"),
    "path-not-utf8": (
        raw_name(b"docs/a\xff.md"),
        "PathNotText: docs/a\\udcff.md: is not valid UTF-8",
    ),
    "trojan-source": (
        write("docs/x.py", "ok = 1  # \u202e } \u2066if admin\u2069\n"),
        "HiddenText: docs/x.py: line 1: U+202E RIGHT-TO-LEFT OVERRIDE",
    ),
    "zero-width": (
        write("docs/x.py", "a = 'admin\u200b'\n"),
        "HiddenText: docs/x.py: line 1: U+200B ZERO WIDTH SPACE",
    ),
    "tag-characters": (
        write("docs/x.md", "hi\U000e0041\U000e0042\n"),
        "HiddenText: docs/x.md: line 1: U+E0041 TAG LATIN CAPITAL LETTER A",
    ),
    "escape-sequence": (
        write("docs/x.txt", "a\x1b[2Jb\n"),
        "HiddenText: docs/x.txt: line 1: U+001B",
    ),
    "binary": (write("logo.png", b"\x89PNG\0\0"), "BinaryContent: logo.png:"),
    "git-lfs": (
        write("art.psd", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n"),
        "LargeFilePointer: art.psd: is kept by Git LFS",
    ),
    "made-executable": (
        shell("chmod", "+x", "docs/a.md"),
        "ModeChanged: docs/a.md: the file was made executable",
    ),
    "fifo": (shell("mkfifo", "docs/pipe"), "SpecialFile: docs/pipe: fifo:"),
    "file-becomes-a-fifo": (
        lambda f: (f / "docs/a.md").unlink() or os.mkfifo(f / "docs/a.md"),
        "SpecialFile: docs/a.md: fifo:",
    ),
    "ignore-file-becomes-a-fifo": (
        lambda f: (f / ".gitignore").unlink() or os.mkfifo(f / ".gitignore"),
        "SpecialFile: .gitignore: fifo:",
    ),
    "giant-ignore-file": (
        sparse(".gitignore", 10**10),
        "SpecialFile: .gitignore: ignore file over 1 MiB:",
    ),
    "unreadable-file": (
        lambda f: (f / "docs/a.md").chmod(0),
        "SpecialFile: docs/a.md: unreadable:",
    ),
    "unreadable-folder": (lambda f: (f / "docs").chmod(0), "SpecialFile: docs: unreadable:"),
    "socket": (leave_socket, "SpecialFile: agent.sock: socket:"),
    "one-gigabyte": (sparse("docs/big.txt", 10**9), "PatchTooLarge: (patch): 1000000000 bytes"),
    "one-gigabyte-over-a-known-file": (
        sparse("docs/a.md", 10**9),
        "FileTooLarge: docs/a.md: 1000000000 bytes",
    ),
    "one-terabyte-sparse": (sparse("docs/sparse.bin", 2**40), "FileTooLarge: docs/sparse.bin:"),
    "too-many-files": (many(101), "TooManyFiles: (patch): 101 files, at most 100"),
    "github-token": (
        write("src/s.py", "T = 'ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'\n"),
        "SecretInPatch: src/s.py: line 1: GitHub Token: ghp_***",
    ),
    "private-key": (
        write("k.pem", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n"),
        "SecretInPatch: k.pem: line 1: Private Key",
    ),
    "aws-key": (
        write("c.py", "AWS = 'AKIAIOSFODNN7EXAMPLE'\n"),
        "SecretInPatch: c.py: line 1: AWS Access Key: AKIA***",
    ),
    "password": (
        write("c.py", "password = 'tr0ub4dor&3xyz'\n"),
        "SecretInPatch: c.py: line 1: Secret Keyword: tr0***",
    ),
    "backslash": (write("back\\slash.py"), "PathNotPortable: back\\slash.py:"),
    "trailing-space": (write("docs/a.md "), "PathNotPortable: docs/a.md :"),
    "long-path": (write(LONG), "PathTooLong:"),
    "deep-folders": (lambda f: (f / "/".join(["d"] * 70)).mkdir(parents=True), "SpecialFile: d/d/"),
    "two-paths-differ-in-case": (
        lambda f: (write("docs/B.md")(f), write("docs/b.md")(f)),
        "PathCollides: docs/B.md:",
    ),
}


@pytest.mark.fast("ci-edited")
@pytest.mark.parametrize("trick", TRICKS)
async def test_a_trick_is_refused_by_name(base_repo, make_world, trick):
    act, line = TRICKS[trick]
    result = await taken(make_world(base_repo), act)
    said = [str(violation) for violation in result.violations]
    assert any(entry.startswith(line) for entry in said), said
    assert all("\n" not in entry for entry in said)
    assert "a1B2c3D4" not in "".join(said), "a secret's value was printed"


@pytest.mark.slow
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


@pytest.mark.slow
async def test_a_file_outside_the_missions_paths_is_refused(base_repo, make_world):
    result = await taken(make_world(base_repo), write("src/pkg/mod.py"), allowed=("docs",))
    assert [str(v) for v in result.violations] == [
        "OutsideAllowedPaths: src/pkg/mod.py: the mission may touch docs"
    ]


@pytest.mark.slow
async def test_deleted_tests_are_counted_where_they_are_not_refused(base_repo, make_world):
    world = make_world(base_repo, intake={"tests": "count"})
    result = await taken(world, lambda folder: (folder / "tests/test_app.py").unlink())
    assert result.change.tests_removed == 1


@pytest.mark.slow
async def test_a_skipped_test_counts_as_removed(base_repo, make_world):
    text = "import pytest\n\n\n@pytest.mark.skip\ndef test_a():\n    assert 1\n"
    world = make_world(base_repo, intake={"tests": "count"})
    result = await taken(world, write("tests/test_app.py", text))
    assert result.change.tests_removed == 1


@pytest.mark.slow
async def test_deleted_tests_are_refused_within_the_missions_paths_too(base_repo, make_world):
    def act(folder):
        (folder / "tests/test_app.py").unlink()

    result = await taken(make_world(base_repo), act, allowed=("tests",))
    assert [str(v) for v in result.violations] == [
        "TestsRemoved: (patch): 1 live test fewer than before"
    ]


@pytest.mark.slow
async def test_guarded_files_can_be_taken_as_r3_and_are_listed(base_repo, make_world):
    world = make_world(base_repo, intake={"guarded": "r3"})
    result = await taken(world, write(".github/workflows/ci.yml", "on: pull_request\n"))
    assert result.change.guarded == (".github/workflows/ci.yml",)


@pytest.mark.slow
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


@pytest.mark.slow
async def test_an_unchanged_folder_is_no_change(base_repo, make_world):
    result = await taken(make_world(base_repo), lambda folder: None)
    assert (result.change, result.violations) == (None, ())


@pytest.mark.slow
async def test_a_plain_folder_without_git_is_read_all_the_same(base_repo, make_world):
    result = await taken(make_world(base_repo), write("docs/a.md", "# B\n"), history=False)
    assert result.change.paths == ("docs/a.md",)


@pytest.mark.slow
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


@pytest.mark.slow
async def test_a_patch_of_a_gigabyte_costs_neither_memory_nor_time(base_repo, make_world):
    """Peak memory of a whole intake process stays far below the patch's size."""
    world = make_world(base_repo)
    order = world.start()
    base, folder = await world.agent(order)
    sparse("docs/big.txt", 10**9)(folder)
    sparse("docs/a.md", 10**9)(folder)
    script = f"""
import asyncio, pathlib, re
from swarm.adapters.local.git.plumbing import Git
from swarm.adapters.local.git.survey import survey
from swarm.core.policy.intake import IntakeRules, judge
async def main():
    rules = IntakeRules()
    git = Git(pathlib.Path({str(world.clone)!r}))
    seen = await survey(git, pathlib.Path({str(folder)!r}), {base!r}, rules)
    print(*judge(seen.touched, rules), sep="\\n")
asyncio.run(main())
# Not getrusage: what it calls ours is at least what our parent held when it forked us.
print(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
"""
    begun = asyncio.get_running_loop().time()
    said = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    *lines, peak = said.stdout.splitlines()
    assert any(line.startswith("FileTooLarge: docs/a.md") for line in lines)
    assert int(peak) < 300 * 1024
    assert asyncio.get_running_loop().time() - begun < 15


@pytest.mark.slow
async def test_an_ignore_file_that_git_never_ends_with_is_refused_by_name(base_repo, make_world):
    """Else its run would wait for a quicker machine for ever."""
    world = make_world(base_repo)
    order = world.start()
    base, folder = await world.agent(order)
    write("docs/.gitignore", "".join(f"*a*a*a*a*a*a*a*c{n}\n" for n in range(20_000)))(folder)
    for number in range(5):
        write(f"docs/{'a' * 200}{number}.md")(folder)
    git = Git(world.clone, timeout=timedelta(seconds=1))
    seen = await survey(git, folder, base, IntakeRules())
    found = [str(one) for one in judge(seen.touched, IntakeRules())]
    assert any(one.startswith("SpecialFile: docs/.gitignore: ignore file that") for one in found)


@pytest.mark.slow
async def test_a_machine_that_is_too_slow_for_the_repositorys_own_is_nobodys_fault(
    base_repo, make_world
):
    world = make_world(base_repo)
    base, folder = await world.agent(world.start())
    with pytest.raises(GitTimedOut):
        await survey(_Slow(world.clone), folder, base, IntakeRules())


class _Slow(Git):
    async def run(self, *argv, **more):
        if argv[0] == "check-ignore":
            raise GitTimedOut("git check-ignore did not end in 60 s")
        return await super().run(*argv, **more)
