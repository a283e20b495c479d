"""What an agent's patch may contain. Facts about the patch in, one violation per breach out.

The adapter reads the facts (raw modes, sizes, text); nothing here reads a file or runs a program,
and no model is asked. Every rule fails closed: a path or a text that cannot be judged is refused.

Decided here: files that *guard* the repository (CI, code owners, agent instructions, hooks,
our own settings) are refused outright, unless the rules say `guarded="r3"`; then the change is
taken, lists them in `Change.guarded`, and is an R3 change that Gate 3 will only merge under R3
rules. Fewer tests are refused likewise, unless the rules say `tests="count"`. Links, submodules,
git attributes, files of Git LFS and secrets have no such second way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from swarm.contract.counted import counted
from swarm.core.policy import intake_paths, intake_text

LINK_MODE = 0o120000
SUBMODULE_MODE = 0o160000
EXECUTABLE_MODE = 0o100755
PLAIN_MODE = 0o100644

#: How a file begins that stands for one of Git LFS. Source: the pointer specification of Git LFS.
_LFS_POINTER = "version https://git-lfs.github.com/spec/"

#: A file that changes this much is told with its first findings; more lines help nobody.
FINDINGS_PER_FILE = 5


class Rule(StrEnum):
    """Every rule a patch can break. The name is what the owner reads first."""

    GUARDED_PATH = "GuardedPath"  #: CI, code owners, agent instructions, hooks, our settings
    SYMLINK = "Symlink"  #: a link could point out of the repository, now or later
    SUBMODULE = "Submodule"  #: a submodule was added, moved or filled
    GIT_ATTRIBUTES = "GitAttributes"  #: attributes change what a file is when checked out
    GIT_MODULES = "GitModules"  #: names where submodules are fetched from
    GIT_DIRECTORY = "GitDirectory"  #: a path that some system resolves to .git
    PATH_NOT_TEXT = "PathNotText"  #: control, bidi or invisible characters, or no UTF-8
    PATH_NOT_PORTABLE = "PathNotPortable"  #: means something else on another system
    PATH_ESCAPES = "PathEscapes"  #: absolute, or with `..`
    PATH_TOO_LONG = "PathTooLong"  #: longer or deeper than file systems take
    PATH_COLLIDES = "PathCollides"  #: equals another path but for case or Unicode form
    OUTSIDE_ALLOWED_PATHS = "OutsideAllowedPaths"  #: not among the mission's paths
    MODE_CHANGED = "ModeChanged"  #: executable bit set or taken
    BINARY_CONTENT = "BinaryContent"  #: cannot be reviewed
    LARGE_FILE_POINTER = "LargeFilePointer"  #: stands for a file of Git LFS that no run can bring
    SPECIAL_FILE = "SpecialFile"  #: fifo, socket or device
    TOO_MANY_FILES = "TooManyFiles"  #: more files than the patch may touch
    PATCH_TOO_LARGE = "PatchTooLarge"  #: more bytes than the patch may bring
    FILE_TOO_LARGE = "FileTooLarge"  #: one file alone is too large to be read
    SECRET_IN_PATCH = "SecretInPatch"  # noqa: S105 - a rule's name, no secret
    HIDDEN_TEXT = "HiddenText"  #: an added line shows a reader something else than a compiler
    TESTS_REMOVED = "TestsRemoved"  #: fewer live tests than before


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One breach: which rule, where, and what exactly. Prints as one line."""

    rule: Rule
    path: str
    what: str

    def __str__(self) -> str:
        """`Rule: path: what`, with every control or invisible character escaped."""
        return intake_text.printable(f"{self.rule.value}: {self.path}: {self.what}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSeen:
    """What the secret scanner found in an added line; the value is masked before it gets here."""

    rule: str
    line: int
    masked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedPath:
    """One path that differs between base and head, as `git diff-tree --raw` tells it.

    path:      as git stores it; bytes that are no UTF-8 are surrogate-escaped.
    old_mode, new_mode: git file modes; 0 means absent on that side.
    size:      bytes of the new content; 0 when deleted.
    special:   why it cannot be taken at all, such as "fifo" or "socket"; else empty.
    old, new:  the text of both sides; None: absent, binary or too large to be read.
    """

    path: str
    old_mode: int
    new_mode: int
    size: int = 0
    binary: bool = False
    special: str = ""
    old: str | None = None
    new: str | None = None
    secrets: tuple[SecretSeen, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeRules:
    """What this patch may do.

    allowed_paths: exact paths, folders or globs; empty means the whole repository.
    guarded:       "refuse" changes to guarding files, or take them as "r3".
    guards:        further globs that guard this repository (its gate definitions).
    executable, binary: True lets such changes in; both are refused by default.
    tests:         "refuse" a patch that leaves fewer live tests, or "count" them: it is R2 then.
    max_files, max_bytes: 100 files and 4 MiB are what other guarded forges take for one patch.
    max_file_bytes: 1 MiB: no reviewed source file is larger.
    """

    allowed_paths: tuple[str, ...] = ()
    guarded: Literal["refuse", "r3"] = "refuse"
    guards: tuple[str, ...] = ()
    executable: bool = False
    binary: bool = False
    tests: Literal["count", "refuse"] = "refuse"
    max_files: int = 100
    max_bytes: int = 4 * 1024 * 1024
    max_file_bytes: int = 1024 * 1024


def judge(touched: Sequence[TouchedPath], rules: IntakeRules) -> tuple[Violation, ...]:
    """Every rule that the patch breaks, in the order of its paths; empty means it may be taken."""
    found = [*_whole_patch(touched, rules)]
    for item in touched[: rules.max_files]:
        found += _path(item, rules)
        found += _kind(item, rules)
        found += _content(item, rules)
    return tuple(found)


def guarded(touched: Iterable[TouchedPath], rules: IntakeRules) -> tuple[str, ...]:
    """The touched paths that guard the repository; a renamed-away file counts by its old name."""
    return tuple(
        item.path for item in touched if intake_paths.guard_of(item.path, rules.guards) is not None
    )


def tests_removed(touched: Iterable[TouchedPath]) -> int:
    """How many live tests fewer the head has; moving a test between files removes none.

    Moving it to where no runner looks does: nobody deletes a test who can rename its file.
    """
    fewer = {
        item.path: intake_text.live_tests(item.path, item.old or "")
        - intake_text.live_tests(item.path, item.new or "")
        for item in touched
    }
    looked_into = (count for path, count in fewer.items() if intake_text.looked_into(path))
    return max(0, sum(fewer.values()), sum(looked_into))


def _whole_patch(touched: Sequence[TouchedPath], rules: IntakeRules) -> list[Violation]:
    found = []
    if len(touched) > rules.max_files:
        found.append(
            Violation(
                rule=Rule.TOO_MANY_FILES,
                path="(patch)",
                what=f"{len(touched)} files, at most {rules.max_files} may change at once",
            )
        )
    total = sum(item.size for item in touched)
    if total > rules.max_bytes:
        found.append(
            Violation(
                rule=Rule.PATCH_TOO_LARGE,
                path="(patch)",
                what=f"{total} bytes, at most {rules.max_bytes} may be brought at once",
            )
        )
    kept = [item for item in touched if item.new_mode]
    folded = Counter(intake_paths.fold(item.path) for item in kept)
    found += [
        Violation(
            rule=Rule.PATH_COLLIDES,
            path=item.path,
            what="another path of the patch differs only in case or Unicode form",
        )
        for item in kept
        if folded[intake_paths.fold(item.path)] > 1
    ]
    fewer = tests_removed(touched)
    if rules.tests == "refuse" and fewer:
        what = f"{counted(fewer, 'live test')} fewer than before"
        found.append(Violation(rule=Rule.TESTS_REMOVED, path="(patch)", what=what))
    return found


def _path(item: TouchedPath, rules: IntakeRules) -> list[Violation]:
    named = [
        Violation(rule=Rule(name), path=item.path, what=what)
        for name, what in intake_paths.faults(item.path)
    ]
    guard = intake_paths.guard_of(item.path, rules.guards)
    if guard is not None and rules.guarded == "refuse":
        verb = "removes" if not item.new_mode else "changes" if item.old_mode else "adds"
        named.append(Violation(rule=Rule.GUARDED_PATH, path=item.path, what=f"{verb} {guard}"))
    if rules.allowed_paths and not intake_paths.within(item.path, rules.allowed_paths):
        named.append(
            Violation(
                rule=Rule.OUTSIDE_ALLOWED_PATHS,
                path=item.path,
                what=f"the mission may touch {', '.join(rules.allowed_paths[:3])}"
                + (" ..." if len(rules.allowed_paths) > 3 else ""),  # noqa: PLR2004 - shown above
            )
        )
    return named


def _kind(item: TouchedPath, rules: IntakeRules) -> list[Violation]:
    def breach(rule: Rule, what: str) -> list[Violation]:
        return [Violation(rule=rule, path=item.path, what=what)]

    if item.special:
        return breach(Rule.SPECIAL_FILE, f"{item.special}: cannot be kept in a repository")
    modes = {item.old_mode, item.new_mode}
    if SUBMODULE_MODE in modes:
        return breach(Rule.SUBMODULE, "a submodule was added, moved, removed or filled")
    if LINK_MODE in modes:
        return breach(Rule.SYMLINK, "a symbolic link was added, changed or removed")
    if modes - {0, PLAIN_MODE, EXECUTABLE_MODE}:
        return breach(Rule.MODE_CHANGED, f"mode {item.new_mode:o} is none that git writes")
    executable = item.new_mode == EXECUTABLE_MODE
    if not rules.executable and item.new_mode and executable != (item.old_mode == EXECUTABLE_MODE):
        what = "was made executable" if executable else "is executable no more"
        return breach(Rule.MODE_CHANGED, f"the file {what}")
    return []


def _content(item: TouchedPath, rules: IntakeRules) -> list[Violation]:
    found = []
    if item.size > rules.max_file_bytes:
        what = f"{item.size} bytes, at most {rules.max_file_bytes}"
        found.append(Violation(rule=Rule.FILE_TOO_LARGE, path=item.path, what=what))
    if item.binary and not rules.binary:
        what = "binary content cannot be reviewed"
        found.append(Violation(rule=Rule.BINARY_CONTENT, path=item.path, what=what))
    texts = (item.old or "", item.new or "")
    if item.new_mode and any(text.startswith(_LFS_POINTER) for text in texts):
        what = "is kept by Git LFS, and a patch cannot bring what its pointer stands for"
        found.append(Violation(rule=Rule.LARGE_FILE_POINTER, path=item.path, what=what))
    found += [
        Violation(
            rule=Rule.SECRET_IN_PATCH,
            path=item.path,
            what=f"line {seen.line}: {seen.rule}: {seen.masked}",
        )
        for seen in item.secrets[:FINDINGS_PER_FILE]
    ]
    if item.new is not None:
        hidden = intake_text.hidden(texts[0], item.new)
        found += [
            Violation(rule=Rule.HIDDEN_TEXT, path=item.path, what=f"line {line}: {name}")
            for line, name in hidden[:FINDINGS_PER_FILE]
        ]
    return found
