"""What `ruff check --output-format=json` prints: a list of findings.

Source: the JSON of ruff 0.12 to 0.17, fields code, message, filename, location, fix, url.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swarm.adapters.local.sources.errors import OutputUnreadable
from swarm.adapters.local.sources.report import Report, relative, whole_json
from swarm.ports.gathering import read_line

SYNTAX = "invalid-syntax"  #: what newer versions call a file that cannot be parsed


SAFE = "safe"  #: a repair that keeps the meaning, the only kind that `ruff --fix` makes


def parse(data: bytes, root: Path, by_hand: str | None = None) -> Report:
    """Read ruff's JSON. Raises OutputUnreadable when it is something else.

    by_hand: mission class of what `ruff --fix` would leave as it is; None is the source's own.
    """
    entries = whole_json(data, "the output of ruff")
    if not isinstance(entries, list):
        raise OutputUnreadable("the output of ruff is no list; use --output-format=json")
    report = Report()
    for number, entry in enumerate(entries, start=1):
        where = f"finding {number}"
        try:
            statement = _statement(entry, root, by_hand)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            said = str(error) if isinstance(error, ValueError) else "is no finding of ruff"
            report.refusals.add(f"{where}: {said}")
            continue
        if (line := read_line(where, statement, report.refusals)) is not None:
            report.lines.append(line)
    return report


def _statement(entry: dict[str, Any], root: Path, by_hand: str | None) -> dict[str, Any]:
    rule = entry["code"] or SYNTAX
    fix = entry.get("fix")
    repair = f"ruff can repair this ({fix['applicability']}): {fix['message']}" if fix else ""
    parts = (entry["message"], repair, entry.get("url") or "")
    return {
        "title": f"{rule} {entry['message']}",
        "body": "\n".join(str(part) for part in parts if part),
        "path": relative(entry["filename"], root),
        # Rows of a notebook are counted in its cell; there the file as a whole is cited.
        "line": 0 if entry.get("cell") else entry["location"]["row"],
        "rule": rule,
        "author": "ruff",
        "mission_class": None if fix and fix["applicability"] == SAFE else by_hand,
    }
