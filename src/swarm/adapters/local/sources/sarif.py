"""SARIF 2.1.0, the format in which most scanners report.

Taken: results of kind `fail` that are neither suppressed nor absent from the present state.
Source: OASIS, Static Analysis Results Interchange Format 2.1.0, sections 3.13 to 3.34.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from swarm.adapters.local.sources.errors import OutputUnreadable
from swarm.adapters.local.sources.report import Report, relative, whole_json
from swarm.core.nouns import Risk
from swarm.ports.gathering import read_line

VERSION = "2.1.0"
#: How much more or less a level is worth than the source's own value.
WORTH = {"error": 4.0, "warning": 1.0, "note": 0.25, "none": 0.1}
#: The scale is that of CVSS, where 7.0 begins "high": what repairs it is looked at by people.
HIGH_SEVERITY = 7.0

#: What a statement may be worth at most, as `SignalLine.value` says.
MOST_VALUE = 1_000_000.0
LONGEST_ARGUMENT = 1_000  #: characters of one argument of a message

_PLACEHOLDER = re.compile(r"\{(\d{1,2})\}")


def parse(
    data: bytes, root: Path, value: float, rated: Callable[[str], bool] = lambda _rule: False
) -> Report:
    """Read one SARIF log. Raises OutputUnreadable when it is something else.

    value: the source's value in points, which a result's level multiplies.
    rated: whether the settings give findings of this rule a value, so that no level does.
    """
    log = whole_json(data, "the SARIF log")
    if not isinstance(log, dict) or log.get("version") != VERSION:
        raise OutputUnreadable(f"the output is no SARIF log of version {VERSION}")
    runs = log.get("runs")
    if not isinstance(runs, list):
        raise OutputUnreadable("the SARIF log has no list of runs; nothing was scanned")
    report = Report()
    for number, run in enumerate(runs, start=1):
        try:
            one = _Run(_object(run), root, lambda rule: None if rated(rule) else value)
        except _Malformed as error:
            report.refusals.add(f"run {number}: {error}")
            continue
        one.read(f"run {number}", report)
    return report


class _Malformed(ValueError):
    """A part of the log is not of the type that the standard gives it."""


def _object(value: Any, what: str = "an entry") -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _Malformed(f"{what} is no object")
    return value


def _list(holder: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = holder.get(name)
    if value is not None and not isinstance(value, list):
        raise _Malformed(f"{name} is no list")
    return value or ()


def _inner(holder: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        value = holder.get(name)
        if value is not None and not isinstance(value, dict):
            raise _Malformed(f"{name} is no object")
        holder = value or {}
    return holder


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name)
    return value if isinstance(value, str) else ""


class _Run:
    """One run of one tool: its rules by id and by index, its artefacts by index."""

    def __init__(
        self, run: Mapping[str, Any], root: Path, value: Callable[[str], float | None]
    ) -> None:
        self.run, self.root, self.value = run, root, value
        driver = _inner(run, "tool", "driver")
        self.tool = _text(driver, "name")
        self.rules = [_object(rule, "a rule") for rule in _list(driver, "rules")]
        for extension in _list(_inner(run, "tool"), "extensions"):
            self.rules += [_object(r, "a rule") for r in _list(_object(extension), "rules")]
        self.by_id = {_text(rule, "id"): rule for rule in self.rules}

    def read(self, where: str, report: Report) -> None:
        """Take every result; tell when the tool itself says that it did not finish."""
        try:
            for entry in _list(self.run, "invocations"):
                if isinstance(entry, dict) and entry.get("executionSuccessful") is False:
                    report.refusals.add(f"{where}: {self.tool} says that it did not finish")
        except _Malformed as error:
            report.refusals.add(f"{where}: {error}")
        try:
            results = _list(self.run, "results")
        except _Malformed as error:
            report.refusals.add(f"{where}: {error}")
            return
        for number, result in enumerate(results, start=1):
            name = f"{where}, result {number}"
            try:
                statement = self._statement(_object(result))
            except ValueError as error:
                report.refusals.add(f"{name}: {error}")
                continue
            if statement and (line := read_line(name, statement, report.refusals)) is not None:
                report.lines.append(line)

    def _statement(self, result: Mapping[str, Any]) -> dict[str, Any] | None:
        if not _counts(result):
            return None
        rule = self._rule(result)
        rule_id = _text(result, "ruleId") or _text(rule, "id")
        message = self._message(_inner(result, "message"), rule)
        level = _text(result, "level") or _text(_inner(rule, "defaultConfiguration"), "level")
        places = list(self._places(result))
        path, line = places[0] if places else ("", 0)
        worth = self.value(rule_id)
        notes = (message, _text(_inner(rule, "fullDescription"), "text"), _text(rule, "helpUri"))
        prints = _inner(result, "fingerprints") or _inner(result, "partialFingerprints")
        return {
            "title": f"{rule_id} {message}".strip(),
            "body": "\n".join(dict.fromkeys(note for note in notes if note)),
            "path": path,
            "line": line,
            "paths": [other for other, _ in places[1:]],
            "rule": rule_id,
            "author": self.tool,
            "id": "".join(f"{key}={value};" for key, value in sorted(prints.items()))[:2_000],
            "value": worth and min(worth * WORTH.get(level or "warning", 1.0), MOST_VALUE),
            "risk": _risk(rule, result),
        }

    def _rule(self, result: Mapping[str, Any]) -> Mapping[str, Any]:
        reference = _inner(result, "rule")
        named = _text(result, "ruleId") or _text(reference, "id")
        # `CA1000/1` names a sub-rule of CA1000 (section 3.27.5).
        found = self.by_id.get(named) or self.by_id.get(named.rpartition("/")[0])
        index = result.get("ruleIndex", reference.get("index"))
        if found is None and isinstance(index, int) and 0 <= index < len(self.rules):
            found = self.rules[index]
        return found or {}

    def _message(self, message: Mapping[str, Any], rule: Mapping[str, Any]) -> str:
        text = _text(message, "text")
        if not text:
            known = _inner(rule, "messageStrings", _text(message, "id") or "default")
            text = _text(known, "text") or _text(_inner(rule, "shortDescription"), "text")
        if not text:
            raise _Malformed("message: has neither text nor a known id")
        # Cut, because a text may name one argument some thousand times.
        words = [str(word)[:LONGEST_ARGUMENT] for word in _list(message, "arguments")]

        def put(match: re.Match[str]) -> str:
            at = int(match[1])
            return words[at] if at < len(words) else match[0]

        return _PLACEHOLDER.sub(put, text[:8_000]) if words else text

    def _places(self, result: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
        seen = set()
        for location in _list(result, "locations")[:100]:
            physical = _inner(_object(location), "physicalLocation")
            artefact = _inner(physical, "artifactLocation")
            uri = _text(artefact, "uri") or self._uri_of(artefact.get("index"))
            if not uri:
                continue
            path = self._path(uri, _text(artefact, "uriBaseId"))
            start = _inner(physical, "region").get("startLine")
            if path not in seen:
                seen.add(path)
                yield path, start if isinstance(start, int) and start > 0 else 0

    def _uri_of(self, index: Any) -> str:
        artefacts = _list(self.run, "artifacts")
        if not isinstance(index, int) or not 0 <= index < len(artefacts):
            return ""
        return _text(_inner(_object(artefacts[index]), "location"), "uri")

    def _path(self, uri: str, base: str) -> str:
        parts = urlsplit(uri)
        if parts.scheme not in {"", "file"}:
            raise _Malformed(f"path: {uri[:80]!r} is no file of the repository")
        path = unquote(parts.path)
        if base and not path.startswith("/"):
            above = _text(_inner(self.run, "originalUriBaseIds", base), "uri")
            if above.startswith("file:"):
                path = unquote(urlsplit(above).path).rstrip("/") + "/" + path
        return relative(path, self.root)


def _counts(result: Mapping[str, Any]) -> bool:
    """True for a failure that is there now and that nobody has accepted."""
    accepted = [
        entry
        for entry in _list(result, "suppressions")
        if _object(entry).get("status", "accepted") == "accepted"
    ]
    kind = result.get("kind", "fail")
    return kind == "fail" and not accepted and result.get("baselineState") != "absent"


def _risk(rule: Mapping[str, Any], result: Mapping[str, Any]) -> int | None:
    said = _inner(result, "properties").get("security-severity") or _inner(rule, "properties").get(
        "security-severity"
    )
    try:
        return int(Risk.R2) if said is not None and float(said) >= HIGH_SEVERITY else None
    except (TypeError, ValueError, OverflowError):  # JSON spells integers that no float holds
        return None
