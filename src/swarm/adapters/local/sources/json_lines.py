"""One JSON object per line, each a `SignalLine`. A malformed line is refused, the rest is kept."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

from swarm.adapters.local.sources.report import Report, relative
from swarm.adapters.local.sources.standing import MOST_STANDING
from swarm.ports.gathering import read_line

LONGEST = 1024 * 1024  #: bytes of one line


def parse(data: bytes, root: Path) -> Report:
    """Read an output of JSON lines. Never raises: what is no statement is refused by number.

    Reading ends behind as many as can be remembered: a million short lines are a gigabyte when
    they are read.
    """
    report = Report()
    read = 0
    for number, raw in enumerate(BytesIO(data), start=1):
        if not raw.strip():
            continue
        if read == MOST_STANDING:
            report.refusals.add(f"line {number}: {read} are read at once; the rest is left out")
            break
        read += 1
        _take(report, f"line {number}", raw.rstrip(b"\n"), root)
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
