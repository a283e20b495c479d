"""What a path may be called. Compared case-folded and in NFC, as the laxest file systems do.

Source of the `.git` disguises: git's own `verify_path`, `is_hfs_dotgit` and `is_ntfs_dotgit`
(path.c, utf8.c), which cover what macOS and Windows resolve to the same directory.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

#: ext4, APFS and NTFS take 255 bytes a name; 1,024 is the shortest common whole path (macOS).
NAME_BYTES = 255
PATH_BYTES = 1024

#: Code points that HFS+ ignores in names, so that `.g<ZWNJ>it` is `.git` there.
_HFS_IGNORED = dict.fromkeys(
    [*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF]
)

#: Why a path guards the repository, by glob over the folded path. First match speaks.
GUARDS: tuple[tuple[str, str], ...] = (
    (".github/**", "CI or repository rules"),
    (".gitea/**", "CI or repository rules"),
    (".forgejo/**", "CI or repository rules"),
    (".gitlab-ci.yml", "CI"),
    (".gitlab/**", "CI or repository rules"),
    (".circleci/**", "CI"),
    (".buildkite/**", "CI"),
    (".woodpecker/**", "CI"),
    (".woodpecker.y*ml", "CI"),
    (".drone.y*ml", "CI"),
    (".travis.yml", "CI"),
    (".ci/**", "CI"),
    (".tekton/**", "CI"),
    (".argo/**", "CI"),
    ("azure-pipelines*.y*ml", "CI"),
    ("bitbucket-pipelines.yml", "CI"),
    ("**/appveyor.y*ml", "CI"),
    ("**/.appveyor.y*ml", "CI"),
    (".cirrus.*", "CI"),
    (".semaphore/**", "CI"),
    (".teamcity/**", "CI"),
    (".build.y*ml", "CI"),
    (".builds/**", "CI"),
    ("**/cloudbuild*.y*ml", "CI"),
    ("**/buildspec*.y*ml", "CI"),
    ("**/jenkinsfile*", "CI"),
    ("**/codeowners", "code owners"),
    ("**/.pre-commit-config.y*ml", "pre-commit hooks"),
    ("**/.pre-commit-hooks.y*ml", "pre-commit hooks"),
    ("**/pytest.ini", "what a check reads its rules from"),
    ("**/.pytest.ini", "what a check reads its rules from"),
    ("**/tox.ini", "what a check reads its rules from"),
    ("**/noxfile.py", "what a check reads its rules from"),
    ("**/ruff.toml", "what a check reads its rules from"),
    ("**/.ruff.toml", "what a check reads its rules from"),
    ("**/mypy.ini", "what a check reads its rules from"),
    ("**/.mypy.ini", "what a check reads its rules from"),
    ("**/.flake8", "what a check reads its rules from"),
    ("**/.eslintrc*", "what a check reads its rules from"),
    ("**/eslint.config.*", "what a check reads its rules from"),
    ("**/jest.config.*", "what a check reads its rules from"),
    ("**/vitest.config.*", "what a check reads its rules from"),
    ("**/.golangci.y*ml", "what a check reads its rules from"),
    (".husky/**", "git hooks"),
    (".githooks/**", "git hooks"),
    ("**/lefthook*.y*ml", "git hooks"),
    ("**/agents.md", "agent instructions"),
    ("**/agents.override.md", "agent instructions"),
    ("agent.md", "agent instructions"),
    ("**/claude*.md", "agent instructions"),
    ("**/gemini.md", "agent instructions"),
    ("**/qwen.md", "agent instructions"),
    ("**/opencode.json*", "agent instructions"),
    ("**/.opencode/**", "agent instructions"),
    ("**/.agents/**", "agent instructions"),
    ("**/.qwen/**", "agent instructions"),
    ("**/.windsurf/**", "agent instructions"),
    ("**/.roo/**", "agent instructions"),
    ("**/.roorules*", "agent instructions"),
    ("**/.kiro/**", "agent instructions"),
    ("**/.junie/**", "agent instructions"),
    ("**/.continue/**", "agent instructions"),
    ("**/.openhands/**", "agent instructions"),
    ("**/.goosehints", "agent instructions"),
    ("**/.cursorrules", "agent instructions"),
    ("**/.windsurfrules", "agent instructions"),
    ("**/.clinerules*", "agent instructions"),
    ("**/.clinerules/**", "agent instructions"),
    ("**/.cursor/**", "agent instructions"),
    ("**/.claude/**", "agent instructions"),
    ("**/.codex/**", "agent instructions"),
    ("**/.gemini/**", "agent instructions"),
    ("**/.aider*", "agent instructions"),
    ("**/.mcp.json", "agent tools"),
    ("**/.vscode/**", "editor tasks that run by themselves"),
    ("**/.envrc", "commands that run by themselves"),
    ("**/.lfsconfig", "where git fetches large files from"),
    ("**/.devcontainer/**", "development container"),
    ("**/renovate.json*", "dependency bot rules"),
    ("**/.renovaterc*", "dependency bot rules"),
    ("**/.mergify.yml", "merge rules"),
    ("**/regime/controls/**", "trading controls"),
    ("**/regime/limits/**", "trading limits"),
    ("**/runtime/trading/**", "trading controls"),
    ("**/limit-set*.json", "trading limits"),
    ("**/limit-set*.sig", "trading limits"),
    ("**/roster*.json", "who may change trading limits"),
    ("**/swarm.toml", "our own rules"),
    ("**/swarm.y*ml", "our own rules"),
)


def fold(path: str) -> str:
    """The form under which two paths are the same to some file system."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def guard_of(path: str, more: Sequence[str] = ()) -> str | None:
    """What the path guards, or None. Compared folded, without what file systems ignore."""
    folded = "/".join(_resolved(part) for part in fold(path).split("/"))
    for pattern, what in GUARDS:
        if _glob(pattern).fullmatch(folded):
            return what
    for pattern in more:
        if _glob(fold(pattern)).fullmatch(folded):
            return f"a gate of this repository ({pattern})"
    return None


def within(path: str, allowed: Sequence[str]) -> bool:
    """True when the path is one of `allowed`, below one of them, or matches it as a glob.

    Exact in case: an allowance is never widened by what a file system would fold.
    """
    wanted = unicodedata.normalize("NFC", path)
    for entry in allowed:
        rule = unicodedata.normalize("NFC", entry).removeprefix("./").rstrip("/")
        below = rule in {"", "."} or wanted.startswith(f"{rule}/")
        if below or _glob(rule).fullmatch(wanted):
            return True
    return False


def faults(path: str) -> list[tuple[str, str]]:
    """What is wrong with a path: (rule name, what). A rename's both sides come as two paths."""
    found = [*_characters(path)]
    parts = path.split("/")
    if not {"", ".", ".."}.isdisjoint(parts):
        found.append(("PathEscapes", "absolute, empty, or with `.` or `..` parts"))
    if _too_long(path, parts):
        found.append(("PathTooLong", f"over {NAME_BYTES} bytes a name or {PATH_BYTES} in all"))
    names = [_resolved(part) for part in fold(path).split("/")]
    if any(name == ".git" or re.fullmatch(r"git~\d+", name) for name in names):
        found.append(("GitDirectory", "some file systems resolve this to the git directory"))
    if any(name == ".gitattributes" or re.fullmatch(r"gitatt~\d+", name) for name in names):
        found.append(("GitAttributes", "attributes change what files are when checked out"))
    if any(name == ".gitmodules" or re.fullmatch(r"gitmod~\d+", name) for name in names):
        found.append(("GitModules", "names where submodules are fetched from"))
    if any(_unportable(part) for part in parts):
        found.append(("PathNotPortable", "backslash, colon, or a name ending in a space or dot"))
    return found


def _characters(path: str) -> list[tuple[str, str]]:
    for char in path:
        category = unicodedata.category(char)
        if category == "Cs":  # what Python makes of bytes that are no text
            return [("PathNotText", "is not valid UTF-8")]
        if category in {"Cc", "Cf", "Co", "Cn", "Zl", "Zp"}:
            return [("PathNotText", f"contains U+{ord(char):04X}, which no reader sees")]
    return []


def _too_long(path: str, parts: Sequence[str]) -> bool:
    def size(text: str) -> int:
        return len(text.encode("utf-8", "surrogatepass"))

    return size(path) > PATH_BYTES or any(size(part) > NAME_BYTES for part in parts)


def _unportable(part: str) -> bool:
    return "\\" in part or ":" in part or (part not in {".", ".."} and part[-1:] in {" ", "."})


def _resolved(part: str) -> str:
    # NTFS drops trailing dots and spaces and reads `name:stream` as `name`; HFS+ drops ignorables.
    name = part.translate(_HFS_IGNORED).split(":")[0]
    return name.rstrip(" .")


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> re.Pattern[str]:
    """`**` crosses folders, `*` and `?` do not; a leading `**/` also matches the top."""
    out, at = "", 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            out, at = f"{out}(?:.*/)?", at + 3
        elif pattern.startswith("**", at):
            out, at = f"{out}.*", at + 2
        elif pattern[at] == "*":
            out, at = f"{out}[^/]*", at + 1
        elif pattern[at] == "?":
            out, at = f"{out}[^/]", at + 1
        else:
            out, at = out + re.escape(pattern[at]), at + 1
    return re.compile(out, re.DOTALL)
