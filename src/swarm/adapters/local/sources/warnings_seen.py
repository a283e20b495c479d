"""Deprecation warnings that a test run really raises, as statements.

Run as a command source: `{python} -P -m swarm.adapters.local.sources.warnings_seen -- COMMAND`.
The command (usually the tests) runs with all deprecation warnings on; each one that points into
the current folder becomes one `SignalLine`, under the rule id that linters give the same fault.
The command runs the repository's own code, as its checks do: use it on repositories of your own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ORIGIN = "warnings-seen"
WARNINGS = "always::DeprecationWarning,always::PendingDeprecationWarning,always::SyntaxWarning"
#: Exit codes of a command that ran its tests, whether they passed or not.
RAN = {0, 1}

_SEEN = re.compile(
    r"^\s*(?P<path>[^\s:][^:\n]{0,400}\.py):(?P<line>\d{1,7}): "
    r"(?P<kind>(?:Pending)?DeprecationWarning|SyntaxWarning): (?P<said>[^\n]{1,500})",
    re.MULTILINE,
)
#: What a warning says, and the linter rule that says the same of the source.
_RULES = (
    (re.compile(r"datetime\.utcnow\(\) is deprecated"), "DTZ003"),
    (re.compile(r"datetime\.utcfromtimestamp\(\) is deprecated"), "DTZ004"),
    (re.compile(r"The 'warn' (?:function|method) is deprecated"), "G010"),
    (re.compile(r"Please use assert\w+ instead"), "UP005"),
    (re.compile(r"invalid escape sequence"), "W605"),
)


def statements(output: str, top: Path) -> list[dict[str, str | int]]:
    """One statement per warning, place and rule that points below `top`, in order."""
    found: dict[tuple[str, int, str], dict[str, str | int]] = {}
    for match in _SEEN.finditer(output):
        path = Path(match["path"])
        absolute = (top / path).resolve()
        if not absolute.is_relative_to(top.resolve()) or not absolute.is_file():
            continue  # somebody else's code warns; nothing here to repair
        inside = absolute.relative_to(top.resolve()).as_posix()
        said = match["said"].strip()
        rule = next((rule for form, rule in _RULES if form.search(said)), match["kind"])
        found.setdefault(
            (inside, int(match["line"]), rule),
            {
                "title": f"{rule} {said}",
                "body": f"{match['kind']}: {said}\nRaised while the tests ran.",
                "path": inside,
                "line": int(match["line"]),
                "rule": rule,
                "author": ORIGIN,
            },
        )
    return list(found.values())


def main(argv: list[str] | None = None) -> int:
    """Run the command and print one JSON line per warning.

    Exit status 0 when the command ran its tests, red or green; 2 when it did not run them.
    """
    parser = argparse.ArgumentParser(prog="warnings_seen", description=__doc__)
    parser.add_argument("command", nargs="+", help="the command that runs the tests")
    command = parser.parse_args(argv).command
    try:
        ran = subprocess.run(
            command,
            env={**os.environ, "PYTHONWARNINGS": WARNINGS},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 2
    output = ran.stdout.decode("utf-8", "replace")
    if ran.returncode not in RAN:
        sys.stderr.write(output[-2_000:] + f"\nthe command ended with {ran.returncode}\n")
        return 2
    for statement in statements(output, Path.cwd()):
        sys.stdout.write(json.dumps(statement) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
