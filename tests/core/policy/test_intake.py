"""The pure guard: one table of paths and texts, each with the rule that must speak, or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.policy import intake, intake_paths, intake_text
from swarm.core.policy.intake import IntakeRules, Rule, SecretSeen, TouchedPath, judge

pytestmark = pytest.mark.req("GATE-3")
PLAIN = 0o100644


def touched(path="src/a.py", old_mode=PLAIN, new_mode=PLAIN, **more) -> TouchedPath:
    return TouchedPath(path=path, old_mode=old_mode, new_mode=new_mode, **more)


def rules_broken(*items: TouchedPath, **rules) -> set[str]:
    return {violation.rule.value for violation in judge(items, IntakeRules(**rules))}


@pytest.mark.parametrize(
    ("path", "broken"),
    [
        ("src/a.py", set()),
        ("README.md", set()),
        ("docs/ü/日本.md", set()),
        (".gitignore", set()),
        (".gitkeep", set()),
        ("src/github/workflows/a.yml", set()),
        ("src/ci/a.py", set()),
        ("a..b/c...d", set()),
        (".github/workflows/ci.yml", {"GuardedPath"}),
        (".GITHUB/x", {"GuardedPath"}),
        (".github./x", {"GuardedPath", "PathNotPortable"}),
        (".g\u200dithub/x", {"GuardedPath", "PathNotText"}),
        ("Jenkinsfile", {"GuardedPath"}),
        ("ci/jenkinsfile.prod", {"GuardedPath"}),
        (".gitlab-ci.yml", {"GuardedPath"}),
        (".circleci/config.yml", {"GuardedPath"}),
        ("CODEOWNERS", {"GuardedPath"}),
        ("docs/codeowners", {"GuardedPath"}),
        ("sub/AGENTS.md", {"GuardedPath"}),
        ("CLAUDE.local.md", {"GuardedPath"}),
        (".claude/settings.json", {"GuardedPath"}),
        (".cursorrules", {"GuardedPath"}),
        (".github/copilot-instructions.md", {"GuardedPath"}),
        (".pre-commit-config.yml", {"GuardedPath"}),
        (".husky/pre-push", {"GuardedPath"}),
        ("pytest.ini", {"GuardedPath"}),
        ("web/jest.config.mjs", {"GuardedPath"}),
        ("src/ruff.toml", {"GuardedPath"}),
        (".gitea/workflows/ci.yml", {"GuardedPath"}),
        (".forgejo/workflows/ci.yml", {"GuardedPath"}),
        (".cirrus.yml", {"GuardedPath"}),
        ("appveyor.yml", {"GuardedPath"}),
        (".builds/test.yml", {"GuardedPath"}),
        ("deploy/cloudbuild.prod.yaml", {"GuardedPath"}),
        ("buildspec.yml", {"GuardedPath"}),
        ("sub/AGENTS.override.md", {"GuardedPath"}),
        ("opencode.jsonc", {"GuardedPath"}),
        ("sub/.opencode/agent/a.md", {"GuardedPath"}),
        (".windsurf/rules/a.md", {"GuardedPath"}),
        (".lfsconfig", {"GuardedPath"}),
        ("web/.envrc", {"GuardedPath"}),
        ("docs/agent.md", set()),
        ("src/opencode.py", set()),
        ("src/pytest.py", set()),
        ("Makefile", set()),
        (".vscode/tasks.json", {"GuardedPath"}),
        ("swarm.yaml", {"GuardedPath"}),
        ("deploy/swarm.toml", {"GuardedPath"}),
        (".git/config", {"GitDirectory"}),
        ("a/.git/config", {"GitDirectory"}),
        ("a/.GiT", {"GitDirectory"}),
        (".git /x", {"GitDirectory", "PathNotPortable"}),
        (".git./x", {"GitDirectory", "PathNotPortable"}),
        (".git::$INDEX_ALLOCATION/x", {"GitDirectory", "PathNotPortable"}),
        ("git~1", {"GitDirectory"}),
        ("GIT~2/config", {"GitDirectory"}),
        (".\ufeffgit/x", {"GitDirectory", "PathNotText"}),
        (".gitattributes", {"GitAttributes"}),
        ("a/.GITATTRIBUTES", {"GitAttributes"}),
        ("gitatt~1", {"GitAttributes"}),
        (".gitmodules", {"GitModules"}),
        ("gitmod~1", {"GitModules"}),
        ("a/.gitmodules", {"GitModules"}),
        ("/etc/passwd", {"PathEscapes"}),
        ("../x", {"PathEscapes"}),
        ("a/../../x", {"PathEscapes"}),
        ("a//b", {"PathEscapes"}),
        ("./a", {"PathEscapes"}),
        ("a\nb", {"PathNotText"}),
        ("a\x7fb", {"PathNotText"}),
        ("a\u202eb", {"PathNotText"}),
        ("a\udcffb", {"PathNotText"}),
        ("a\u00adb", {"PathNotText"}),
        ("a\\b", {"PathNotPortable"}),
        ("a:b", {"PathNotPortable"}),
        ("a ", {"PathNotPortable"}),
        ("x" * 255, set()),
        ("x" * 256, {"PathTooLong"}),
        ("src/" + "ü" * 128, {"PathTooLong"}),
        ("/".join(["x" * 204] * 5), set()),
        ("/".join(["x" * 204] * 5) + "x", {"PathTooLong"}),
        ("/".join(["x" * 100] * 11), {"PathTooLong"}),
    ],
)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(0, PLAIN, id="added"),
        pytest.param(PLAIN, PLAIN, id="edited"),
        pytest.param(PLAIN, 0, id="removed"),
    ],
)
def test_a_path_breaks_exactly_these_rules_however_it_is_touched(path, broken, old, new):
    """Removed too: a rename away from a guarded name is a removal and an addition."""
    assert rules_broken(touched(path, old_mode=old, new_mode=new)) == broken


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (0, 0o120000, "Symlink"),
        (PLAIN, 0o120000, "Symlink"),
        (0o120000, PLAIN, "Symlink"),
        (0o120000, 0, "Symlink"),
        (0, 0o160000, "Submodule"),
        (0o160000, 0o160000, "Submodule"),
        (0o160000, 0, "Submodule"),
        (PLAIN, 0o100755, "ModeChanged"),
        (0o100755, PLAIN, "ModeChanged"),
        (0, 0o100755, "ModeChanged"),
        (PLAIN, 0o100664, "ModeChanged"),
        (0o100755, 0o100755, None),
        (0o100755, 0, None),
        (0, PLAIN, None),
    ],
)
def test_a_kind_of_file_breaks_its_rule(old, new, rule):
    assert rules_broken(touched(old_mode=old, new_mode=new)) == ({rule} if rule else set())


def test_a_path_that_is_no_text_is_told_from_one_with_a_character_nobody_sees():
    told = [
        str(violation) for violation in judge((touched("a\udcff"), touched("a\xad")), IntakeRules())
    ]
    assert [line.rpartition(": ")[2] for line in told] == [
        "is not valid UTF-8", "contains U+00AD, which no reader sees",
    ]  # fmt: skip


def test_a_special_file_is_no_content():
    (fifo,) = judge((touched(special="a named pipe"),), IntakeRules())
    assert str(fifo) == "SpecialFile: src/a.py: a named pipe: cannot be kept in a repository"


def test_a_mode_that_changed_is_told_by_what_it_is_now_and_let_in_where_the_rules_say_so():
    on, off = touched("on", new_mode=0o100755), touched("off", old_mode=0o100755)
    assert [v.what for v in judge((on, off), IntakeRules())] == [
        "the file was made executable", "the file is executable no more",
    ]  # fmt: skip
    assert rules_broken(on, off, executable=True) == set()


def test_binary_content_is_refused_unless_the_rules_let_it_in():
    assert rules_broken(touched(binary=True)) == {"BinaryContent"}
    assert rules_broken(touched(binary=True), binary=True) == set()


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [
        pytest.param(POINTER, POINTER.replace("4d7a", "0000"), True, id="another-pointer"),
        pytest.param(POINTER, "what it really holds\n", True, id="content-in-its-place"),
        pytest.param(POINTER, None, True, id="binary-in-its-place"),
        pytest.param(None, POINTER, True, id="a-new-pointer"),
        pytest.param("see " + POINTER, "as " + POINTER, False, id="a-text-about-pointers"),
    ],
)
def test_a_file_of_git_lfs_is_not_changed_by_what_saw_only_its_pointer(old, new, refused):
    item = touched("logo.psd", old=old, new=new, binary=new is None)
    expected = {"LargeFilePointer"} if refused else set()
    assert rules_broken(item, binary=True) == expected


def test_a_file_of_git_lfs_may_be_removed():
    assert rules_broken(touched("logo.psd", new_mode=0, old=POINTER)) == set()


@pytest.mark.parametrize(
    ("allowed", "told"),
    [
        (("a", "b", "c"), "the mission may touch a, b, c"),
        (("a", "b", "c", "d"), "the mission may touch a, b, c ..."),
    ],
)
def test_a_long_list_of_allowed_paths_is_told_by_its_beginning(allowed, told):
    (outside,) = judge((touched("x"),), IntakeRules(allowed_paths=allowed))
    assert outside.what == told


@pytest.mark.parametrize(
    ("allowed", "path", "inside"),
    [
        ((), "anything/at.all", True),
        (("src/a.py",), "src/a.py", True),
        (("src/a.py",), "src/a.pyc", False),
        (("src",), "src/deep/a.py", True),
        (("src/",), "src/a.py", True),
        (("./src",), "src/a.py", True),
        (("src",), "srcx/a.py", False),
        (("src",), "SRC/a.py", False),
        (("*.md",), "README.md", True),
        (("*.md",), "docs/README.md", False),
        (("**/*.md",), "docs/README.md", True),
        (("**/*.md",), "README.md", True),
        (("docs/**",), "docs/a/b.md", True),
        (("app/[id].tsx",), "app/[id].tsx", True),
        (("a", "b"), "b/x", True),
        ((".",), "src/a.py", True),
        (("./",), "src/a.py", True),
        (("*.rst",), "READMErst", False),
        (("docs/**.md",), "docs/a/b.md", True),
        (("docs/**.rst",), "docs/READMErst", False),
        (("a?.py",), "ab.py", True),
        (("a?.py",), "abXpy", False),
        (("a?.py",), "a/.py", False),
    ],
)
def test_allowed_paths_are_exact_folders_or_globs(allowed, path, inside):
    expected = set() if inside else {"OutsideAllowedPaths"}
    assert rules_broken(touched(path), allowed_paths=allowed) == expected


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("", "plain\tascii\r\n", None),
        ("", "naïve café 日本語 🙂\ufe0f\n", None),
        ("", "\ufeffwith a byte-order mark\n", None),
        ("", "family 👩\u200d👩\u200d👧\n", None),
        ("", "\u0645\u06cc\u200c\u062e\u0648\n", None),
        ("", "a\u06cc\u200c\u062eb\n", None),
        ("", "unassigned \u0378\n", None),
        ("", "tabs\tand\vold ends\n", None),
        ("old\rends\r", "old\rends\rand more\rof them\r", None),
        ("old\rends\r", "old\rends\rand one \u202e\r", 1),
        ("new\r\nends\r\n", "new\r\nends\r\n# and\rmore\r\n", 3),
        (None, "new\n", None),
        (None, "new \u202e\n", 1),
        ("b \u202e\nb \u202e\n", "b \u202e\nb \u202e\n", None),
        ("", "page\fbreak\n", None),
        ("bad \u202e here\n", "bad \u202e here\nmore\n", None),
        ("", "one\ntwo \u202e\n", 2),
        ("", "two\u2066\n", 1),
        ("", "a\u200bb\n", 1),
        ("", "a\u200db\n", 1),
        ("", "a\u200d\u06cc\n", 1),
        ("", "\u06cc\u200da\n", 1),
        ("", "\u200btwo \u202e of them\n", 1),
        ("", "one\n\ufefftwo\n", 2),
        ("", "unassigned \U000e0000\n", 1),
        ("", "in the mid\ufeffdle\n", 1),
        ("", "soft\u00adhyphen\n", 1),
        ("", "tag \U000e0041\n", 1),
        ("", "selector \ufe01\n", 1),
        ("", "selector \U000e0100\n", 1),
        ("", "private \ue000\n", 1),
        ("", "esc \x1b[31m\n", 1),
        ("", "nul-like \x01\n", 1),
        ("", "line\u2028separator\n", 1),
        ("", "a = 1\r\nb = 2\r\n", 0),
        ("", "ended twice\r\r\n", 0),
        ("", "# fine\rimport os\n", 1),
        ("", "one\n# fine\r\r# fine\r\n", 2),
        ("same \u202e\n", "same \u202e\nsame \u202e\n", 2),
    ],
)
def test_added_text_that_a_reader_cannot_see_is_found_with_its_line(old, new, line):
    found = judge((touched(old=old, new=new),), IntakeRules())
    assert [violation.rule for violation in found] == ([Rule.HIDDEN_TEXT] if line else [])
    if line:
        assert found[0].what.startswith(f"line {line}: U+")


@pytest.mark.parametrize(
    ("path", "text", "count"),
    [
        ("tests/test_a.py", "def test_a():\n  pass\n\nasync def test_b():\n  pass\n", 2),
        ("tests/test_a.py", "class TestX:\n    def test_a(self):\n        pass\n", 1),
        ("tests/test_a.py", "@pytest.mark.skip\ndef test_a(): ...\ndef test_b(): ...\n", 1),
        ("tests/test_a.py", "@unittest.skipIf(1, '')\ndef test_a(): ...\n", 0),
        ("tests/test_a.py", "@pytest.mark.xfail(strict=True)\ndef test_a(): ...\n", 0),
        ("tests/test_a.py", "pytestmark = pytest.mark.skip\ndef test_a(): ...\n", 0),
        ("tests/test_a.py", "pytestmark = [mark.slow]\ndef test_a(): ...\n", 1),
        ("tests/test_a.py", "pytest.skip(allow_module_level=True)\ndef test_a(): ...\n", 0),
        ("tests/test_a.py", "def test_a(self):\n    self.skipTest('later')\n", 0),
        ("tests/test_a.py", "def test_a():\n    raise unittest.SkipTest\n", 0),
        ("tests/test_a.py", "class TestA:\n  __test__ = False\n  def test_a(self): ...\n", 0),
        ("a.test.ts", "describe.skip('a', () => {\n  it('b', () => {})\n})\n", 0),
        ("a.test.ts", "it.only('a', () => {})\nit('b', () => {})\n", 1),
        ("a.test.ts", "it('a', () => {})\n  test('b', () => {})\n  xit('c', () => {})\n", 2),
        ("a.test.ts", "it.skip('a', () => {})\nit('b', () => {})\n", 1),
        (
            "a_test.go",
            "func TestA(t *testing.T) {\n\tt.Skip()\n}\nfunc TestB(t *testing.T) {}\n",
            1,
        ),
        ("lib.rs", "#[test]\nfn a() {}\n#[tokio::test]\n#[ignore]\nfn b() {}\n", 1),
        ("ATest.java", "  @Test\n  void a() {}\n  @Test\n  @Disabled\n  void b() {}\n", 1),
        ("a_spec.rb", "it 'works' do\nend\nxit 'not' do\nend\n", 0),
        ("notes.md", "def test_a():\n", 0),
    ],
)
def test_live_tests_are_those_that_would_run(path, text, count):
    assert intake_text.live_tests(path, text) == count


def test_moving_a_test_between_files_removes_none():
    text = "def test_a():\n    assert 1\n"
    moved = (
        touched("tests/test_a.py", new_mode=0, old=text),
        touched("tests/test_b.py", old_mode=0, new=text),
    )
    assert intake.tests_removed(moved) == 0
    assert intake.tests_removed(moved[:1]) == 1
    assert intake.tests_removed(moved[1:]) == 0


@pytest.mark.parametrize(
    ("old", "new", "fewer"),
    [
        ("tests/test_a.py", "tests/old_a.py", 1),
        ("tests/test_a.py", "tests/test_a.py.txt", 1),
        ("tests/test_a.py", "tests/.kept/test_a.py", 1),
        ("tests/test_a.py", "build/test_a.py", 1),
        ("a_test.py", "tests/unit/test_a.py", 0),
        ("tests/old_a.py", "tests/test_a.py", 0),
        ("checks/a.py", "checks/b.py", 0),
        ("app/tests.py", "app/tests/test_all.py", 0),
    ],
)
def test_a_test_that_moved_to_where_no_runner_looks_is_removed(old, new, fewer):
    text = "def test_a():\n    assert 1\n"
    moved = (touched(old, new_mode=0, old=text), touched(new, old_mode=0, new=text))
    assert intake.tests_removed(moved) == fewer


@pytest.mark.parametrize(
    ("new", "fewer"), [("src/a.ts", 1), ("src/__tests__/a.ts", 0), ("src/a.spec.tsx", 0)]
)
def test_a_script_is_a_test_by_its_name_or_its_folder(new, fewer):
    text = "it('works', () => {})\n"
    moved = (touched("src/a.test.ts", new_mode=0, old=text), touched(new, old_mode=0, new=text))
    assert intake.tests_removed(moved) == fewer


def test_a_patch_with_fewer_live_tests_is_refused_unless_the_rules_only_count_them():
    fewer = touched("tests/test_a.py", old="def test_a(): ...\n", new="")
    (told,) = judge((fewer,), IntakeRules())
    assert str(told) == "TestsRemoved: (patch): 1 live test fewer than before"
    assert rules_broken(fewer, tests="count") == set()
    assert rules_broken(touched()) == set()


def test_sizes_and_numbers_are_refused_above_and_taken_at_the_limit():
    at = {"max_files": 2, "max_bytes": 100, "max_file_bytes": 60}
    assert rules_broken(touched("a", size=50), touched("b", size=50), **at) == set()
    assert rules_broken(touched("a", size=51), touched("b", size=50), **at) == {"PatchTooLarge"}
    assert rules_broken(touched("a", size=60), **at) == set()
    assert rules_broken(touched("a", size=61), **at) == {"FileTooLarge"}
    assert rules_broken(touched("a"), touched("b"), touched("c"), **at) == {"TooManyFiles"}


def test_paths_that_some_file_system_takes_for_one_are_refused():
    assert rules_broken(touched("Docs/a"), touched("docs/A")) == {"PathCollides"}
    assert rules_broken(touched("caf\u00e9"), touched("cafe\u0301")) == {"PathCollides"}
    renamed = (touched("Docs/a", new_mode=0), touched("docs/a", old_mode=0))
    assert rules_broken(*renamed) == set(), "a rename in case alone leaves one file"


def test_guarding_files_are_taken_as_r3_and_listed_only_where_the_rules_say_so():
    item = touched("gates/limits.json")
    rules = IntakeRules(guards=("gates/**",))
    assert [str(found) for found in judge((item,), rules)] == [
        "GuardedPath: gates/limits.json: changes a gate of this repository (gates/**)"
    ]
    allowed = IntakeRules(guards=("gates/**",), guarded="r3")
    assert judge((item,), allowed) == ()
    assert intake.guarded((item, touched()), allowed) == ("gates/limits.json",)


def test_a_secret_is_told_by_rule_and_line_with_its_value_masked():
    seen = SecretSeen(rule="GitHub Token", line=7, masked="ghp_*** (40 characters)")
    found = judge((touched(secrets=(seen,)),), IntakeRules())
    assert str(found[0]) == "SecretInPatch: src/a.py: line 7: GitHub Token: ghp_*** (40 characters)"


@given(st.text(st.characters(codec=None), max_size=40), st.text(max_size=40))
def test_a_violation_always_prints_as_one_visible_line(path, what):
    said = str(intake.Violation(rule=Rule.SYMLINK, path=path, what=what))
    assert said.isprintable()
    assert not set(said) & set("\n\r\x1b\u202e\u200b")


@given(st.text(max_size=60))
def test_no_path_escapes_judgement_by_being_strange(path):
    """Any text at all is judged without an error, and folding twice changes nothing."""
    judge((touched(path),), IntakeRules(allowed_paths=("src",)))
    assert intake_paths.fold(intake_paths.fold(path)) == intake_paths.fold(path)


@given(st.sampled_from([".git", ".github", "codeowners", ".gitattributes"]), st.data())
def test_no_case_variant_of_a_guarded_name_gets_through(name, data):
    variant = "".join(data.draw(st.sampled_from([char.lower(), char.upper()])) for char in name)
    path = f"{variant}/x" if name in {".git", ".github"} else variant
    assert rules_broken(touched(path))
