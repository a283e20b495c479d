"""JUnit XML as pytest and most test runners write it: every failure and error is a statement.

Source: the attributes that pytest writes with `junit_family` xunit1 (file and line) and xunit2
(neither), and those of the common runners of other languages, which use the same elements.
"""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException

from swarm.adapters.local.junit_cases import NotJunit, cases, plain
from swarm.adapters.local.sources.errors import ResultsUnreadable
from swarm.adapters.local.sources.report import Report, relative
from swarm.ports.gathering import read_line

RULE = "failing-test"
MOST_TEXT = 20_000  #: characters of a failure's text that are looked at

_ROOTS = {"testsuites", "testsuite"}
#: The last line of a traceback that names a file: `tests/test_a.py:12: AssertionError`.
_PLACE = re.compile(r"^(\S[^\n:]{0,300}\.\w{1,5}):(\d{1,7}):", re.MULTILINE)


def parse(data: bytes, root: Path, name: str) -> Report:
    """Read one result file. Raises ResultsUnreadable when it is no whole JUnit file.

    name: what to call the file in messages.
    """
    report = Report()
    try:
        for number, case in enumerate(cases(BytesIO(data), _ROOTS), start=1):
            _take(report, f"test {number}", case, root)
    except NotJunit as error:
        raise ResultsUnreadable(f"{name} {error}") from error
    except DefusedXmlException as error:
        raise ResultsUnreadable(
            f"{name} declares a document type: {type(error).__name__}"
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise ResultsUnreadable(f"{name} is no whole XML: {str(error)[:200]}") from error
    return report


def _take(report: Report, where: str, case: Any, root: Path) -> None:
    # The first alone: a test that fails and then cannot be torn down failed once.
    failure = next((child for child in case if plain(child.tag) in {"failure", "error"}), None)
    if failure is None:
        return
    statement = _statement(case, failure, root)
    if (line := read_line(where, statement, report.refusals)) is not None:
        report.lines.append(line)


def _statement(case: Any, failure: Any, root: Path) -> dict[str, Any]:
    test = "::".join(part for part in (case.get("classname", ""), case.get("name", "")) if part)
    text = (failure.text or "")[:MOST_TEXT]
    said = failure.get("message") or next(iter(text.strip().splitlines()), "")
    path, line = _place(case, text, root)
    kind = "fails" if plain(failure.tag) == "failure" else "cannot run"
    return {
        "title": f"{test or 'a test'} {kind}: {said}"[:2_000],
        "body": text or said,
        "id": f"{test}\n{said}"[:2_000],
        # Without a file the test's own id is what can be looked up.
        "citation": "" if path else f"test:{test}",
        "path": path,
        "line": line,
        "rule": f"{RULE}:{test}"[:200],
        "author": "tests",
    }


def _place(case: Any, text: str, root: Path) -> tuple[str, int]:
    named, number = case.get("file", ""), case.get("line", "")
    if named:
        path = _inside(named, root)
        # pytest counts lines from 0 in this attribute.
        return (path, int(number) + 1 if number.isdecimal() and len(number) < 9 else 0)  # noqa: PLR2004
    for match in reversed(list(_PLACE.finditer(text))):
        if path := _inside(match[1], root):
            return path, int(match[2])
    return "", 0


def _inside(path: str, root: Path) -> str:
    try:
        plain = relative(path, root)
    except ValueError:
        return ""
    return "" if plain.startswith("..") or plain == "." else plain
