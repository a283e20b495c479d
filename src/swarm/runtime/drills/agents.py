"""The drills' deterministic agent: what it does wrong is named by the rule of its need.

    python -m swarm.runtime.drills.agents RULE FOLDER

It notes each of its runs, with the task that it was given, in FOLDER; there also lies the sign
that its quota is used up. Nothing else outside its clone is touched.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

RUNS, NO_QUOTA = "runs.jsonl", "no-quota"
ASK_LATER = 75  #: EX_TEMPFAIL of sysexits.h
RED_WORDS = "drill: red on purpose"
NOTES, SERVICE = Path("NOTES.md"), Path("orders/service.py")
RISKY = Path("RISKY.md")  #: nobody else's, so that nothing but its risk holds the need back
GUARDED = Path(".github/workflows/ci.yml")


def good(attempt: int) -> None:
    """An honest small change."""
    _append(NOTES, f"A drill wrote this line, attempt {attempt}.\n")


def risky(attempt: int) -> None:
    """The same where no other need of a drill writes."""
    _append(RISKY, f"A drill wrote this line, attempt {attempt}.\n")


def red(attempt: int) -> None:
    """A change whose check is red, however often it is repaired."""
    _append(SERVICE, f'\nraise RuntimeError("{RED_WORDS}")  # attempt {attempt}\n')


def broken(_attempt: int) -> None:
    """A change that passes its tests, and in production breaks off every answer."""
    line = "            body = await answer(path)\n"
    cut = "            if path.startswith('/orders'):\n                break  # drill\n"
    text = SERVICE.read_text(encoding="utf-8")
    SERVICE.write_text(text.replace(line, cut + line), encoding="utf-8")


def hostile(_attempt: int) -> None:
    """A change of the rules that guard the repository itself."""
    GUARDED.parent.mkdir(parents=True, exist_ok=True)
    GUARDED.write_text("on: push\njobs: {}\n", encoding="utf-8")


#: What the agent does for a rule, and the path that the need allows it to touch.
BEHAVIOURS: dict[str, tuple[Callable[[int], None], Path]] = {
    "DRILL-GOOD": (good, NOTES),
    "DRILL-MORE": (good, NOTES),
    "DRILL-HIGH": (risky, RISKY),
    "DRILL-RED": (red, SERVICE),
    "DRILL-BROKEN": (broken, SERVICE),
    "DRILL-HOSTILE": (hostile, GUARDED),
}


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def main(rule: str, folder: Path, task: str) -> int:
    """Note the run, then behave as the rule says; returns the exit code."""
    runs = folder / RUNS
    quota = not (folder / NO_QUOTA).exists()
    lines = runs.read_text(encoding="utf-8").splitlines() if runs.exists() else []
    before = [run for run in map(json.loads, lines) if run["rule"] == rule and run["began"]]
    _append(runs, json.dumps({"rule": rule, "began": quota, "task": task}) + "\n")
    if not quota:
        sys.stderr.write("quota exceeded, try again later (drill)\n")
        return ASK_LATER
    behave, _ = BEHAVIOURS[rule]
    behave(len(before))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.stdin.read()))
