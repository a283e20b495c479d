"""One JSON object per line, each a `SignalLine`. A malformed line is refused, the rest is kept."""

from __future__ import annotations

import json
from pathlib import Path

from swarm.adapters.local.sources.report import Report, relative
from swarm.ports.gathering import read_line

LONGEST = 1024 * 1024  #: bytes of one line


def parse(data: bytes, root: Path) -> Report:
    """Read an output of JSON lines. Never raises: what is no statement is refused by number."""
    report = Report()
    for number, raw in enumerate(data.split(b"\n"), start=1):
        if raw.strip():
            _take(report, f"line {number}", raw, root)
    return report


def _take(report: Report, where: str, raw: bytes, root: Path) -> None:
    if len(raw) > LONGEST:
        report.refusals.add(f"{where}: {len(raw)} bytes in one line, {LONGEST} may be")
        return
    try:
        entry = json.loads(raw.decode("utf-8-sig"))
        if isinstance(entry, dict) and isinstance(entry.get("path"), str) and entry["path"]:
            entry["path"] = relative(entry["path"], root)
    except UnicodeDecodeError as error:
        report.refusals.add(f"{where}: not UTF-8 at byte {error.start}")
        return
    except RecursionError:
        report.refusals.add(f"{where}: too deeply nested")
        return
    except ValueError as error:
        report.refusals.add(f"{where}: {error}")
        return
    if (line := read_line(where, entry, report.refusals)) is not None:
        report.lines.append(line)
