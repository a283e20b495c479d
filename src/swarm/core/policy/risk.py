"""Risk classes, by explicit rules over what a mission touches. Raised, never lowered (MODE-1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from swarm.contract.counted import counted
from swarm.core.nouns import Change, Risk
from swarm.core.snapshot import RiskRule

# R3 by nature, whatever an installation says: permissions, CI and merge policy, infrastructure,
# schema. An installation may add rules; it cannot take these away.
BUILT_IN: tuple[RiskRule, ...] = (
    RiskRule(pattern=".github/**", risk=Risk.R3, why="CI or merge policy"),
    RiskRule(pattern=".gitlab-ci.yml", risk=Risk.R3, why="CI"),
    RiskRule(pattern="**/CODEOWNERS", risk=Risk.R3, why="permissions"),
    RiskRule(pattern="**/migrations/**", risk=Risk.R3, why="data or schema"),
    RiskRule(pattern="**/*.sql", risk=Risk.R3, why="data or schema"),
    RiskRule(pattern="**/*.tf", risk=Risk.R3, why="infrastructure"),
    RiskRule(pattern="**/Dockerfile*", risk=Risk.R3, why="infrastructure"),
    RiskRule(pattern="**/requirements*.txt", risk=Risk.R2, why="dependencies"),
    RiskRule(pattern="**/*.lock", risk=Risk.R2, why="dependencies"),
    RiskRule(pattern="**/pyproject.toml", risk=Risk.R2, why="dependencies"),
    RiskRule(pattern="**/package.json", risk=Risk.R2, why="dependencies"),
    RiskRule(pattern="swarm.toml", risk=Risk.R3, why="our own rules"),
    RiskRule(pattern="swarm.yaml", risk=Risk.R3, why="our own rules"),
)

_ANY = "(?:[^/]+/)*"  #: any number of folders


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskFinding:
    """The risk of a change and the paths or facts that made it so."""

    risk: Risk
    why: tuple[str, ...]


def of_paths(base: Risk, paths: Sequence[str], rules: Sequence[RiskRule]) -> RiskFinding:
    """The risk of touching `paths`, at least `base`."""
    return _of_paths(base, tuple(paths), tuple(rules))


@lru_cache(maxsize=1_024)
def _of_paths(base: Risk, paths: tuple[str, ...], rules: tuple[RiskRule, ...]) -> RiskFinding:
    # Remembered: a change is asked about at every look at its mission, and its paths stay.
    risk, why = base, []
    for rule in (*BUILT_IN, *rules):
        if rule.risk <= base:
            continue
        hits = [path for path in paths if matches(path, rule.pattern)]
        if hits:
            risk = max(risk, rule.risk)
            why.append(f"{hits[0]} ({rule.why or rule.pattern}) is R{rule.risk:d}")
    return RiskFinding(risk=risk, why=tuple(why))


def of_change(base: Risk, change: Change, rules: Sequence[RiskRule]) -> RiskFinding:
    """The risk of an actual change: its paths, the guarded ones, and deleted tests."""
    found = of_paths(max(base, change.risk), change.paths, rules)
    why = list(found.why)
    risk = found.risk
    if change.guarded:
        risk = Risk.R3
        why.append(f"{change.guarded[0]} guards the repository: R3")
    if change.tests_removed > 0 and risk < Risk.R2:
        risk = Risk.R2
        why.append(f"{counted(change.tests_removed, 'test')} removed: R2")
    return RiskFinding(risk=risk, why=tuple(why))


def judged(base: Risk, change: Change | None, rules: Sequence[RiskRule]) -> Risk:
    """The risk of a mission: its own, or what its change raised that to."""
    return of_change(base, change, rules).risk if change else base


def matches(path: str, pattern: str) -> bool:
    """True when a gitignore-like pattern takes a path or a folder above it; case is folded.

    `**/` takes any number of folders, none too; a pattern without a slash takes that name at
    any depth; a slash in front or in the middle ties it to the root.
    """
    taken = _compiled(pattern.casefold())
    return taken.match(path.casefold()) is not None


@lru_cache(maxsize=4_096)
def _compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as an expression over whole paths; what is below a taken folder is taken."""
    core = pattern.strip("/")
    anywhere = "/" not in pattern.rstrip("/")
    parts = [_ANY if part == "**" else f"{_part(part)}/" for part in core.split("/")]
    if parts[-1] == _ANY:
        parts[-1] = "[^/]+/"  # what is inside, not the folder itself
    return re.compile((_ANY if anywhere else "") + "".join(parts)[:-1] + r"(?:/.*)?\Z", re.DOTALL)


def _part(part: str) -> str:
    """One path segment as an expression; neither star nor question mark takes a slash."""
    out, rest = [], part
    while rest:
        sign, rest = rest[0], rest[1:]
        end = rest.find("]", 1)
        if sign == "[" and end != -1:
            out.append(_signs(rest[:end]))
            rest = rest[end + 1 :]
        else:
            out.append({"*": "[^/]*", "?": "[^/]"}.get(sign) or re.escape(sign))
    return "".join(out)


def _signs(inside: str) -> str:
    """A set of signs as an expression; one that makes no sense takes any sign, to be careful."""
    turned = "^" if inside[0] in "!^" else ""
    listed = "".join(sign if sign == "-" else re.escape(sign) for sign in inside[len(turned) :])
    try:
        return re.compile(f"[{turned}{listed}]").pattern
    except re.error:
        return "[^/]"
