"""Risk classes, by explicit rules over what a mission touches. Raised, never lowered (MODE-1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskFinding:
    """The risk of a change and the paths or facts that made it so."""

    risk: Risk
    why: tuple[str, ...]


def of_paths(base: Risk, paths: Sequence[str], rules: Sequence[RiskRule]) -> RiskFinding:
    """The risk of touching `paths`, at least `base`."""
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
        why.append(f"{change.tests_removed} tests removed: R2")
    return RiskFinding(risk=risk, why=tuple(why))


def matches(path: str, pattern: str) -> bool:
    """True when a path matches a pattern; `**/` also matches nothing, case is folded."""
    folded, wanted = path.casefold(), pattern.casefold()
    if fnmatchcase(folded, wanted):
        return True
    return wanted.startswith("**/") and fnmatchcase(folded, wanted.removeprefix("**/"))
