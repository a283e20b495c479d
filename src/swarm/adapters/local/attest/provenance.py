"""What a trusted statement must say: this commit, by this builder, from this source, in time.

Source: in-toto Statement v1 (in-toto/attestation, spec/v1/statement.md) and SLSA provenance v1
(slsa.dev/provenance/v1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from swarm.adapters.local.attest.envelope import read_json
from swarm.adapters.local.attest.reasons import Fault, Faulty

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"

#: Two machines' clocks may differ by this much before a time counts as the future.
CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the policy wants. `archive` is the files' SHA-256 in hex, or "" when not computed."""

    commit: str
    archive: str
    archive_required: bool
    builders: tuple[str, ...]
    build_types: tuple[str, ...]
    source: str
    max_age: timedelta | None


def check_statement(payload: bytes, expected: Expected, now: datetime) -> str:
    """The builder's id, when everything that the statement says is as expected. Raises Faulty."""
    statement = read_json(payload, Fault.STATEMENT_MALFORMED)
    if statement.get("_type") != STATEMENT_TYPE:
        raise Faulty(Fault.STATEMENT_TYPE_UNKNOWN, _shown(statement.get("_type")))
    if statement.get("predicateType") != PREDICATE_TYPE:
        raise Faulty(Fault.PREDICATE_TYPE_UNKNOWN, _shown(statement.get("predicateType")))
    _check_subject(_sequence(statement, "subject"), expected)
    predicate = _mapping(statement, "predicate")
    definition, details = _mapping(predicate, "buildDefinition"), _mapping(predicate, "runDetails")
    builder = _mapping(details, "builder").get("id")
    if builder not in expected.builders or not isinstance(builder, str):
        raise Faulty(Fault.BUILDER_NOT_ALLOWED, _shown(builder))
    if definition.get("buildType") not in expected.build_types:
        raise Faulty(Fault.BUILD_TYPE_NOT_ALLOWED, _shown(definition.get("buildType")))
    _check_source(definition, expected)
    _check_time(details, expected, now)
    return builder


def _check_subject(subjects: Sequence[Any], expected: Expected) -> None:
    digests = [_mapping(_object(subject, "subject"), "digest") for subject in subjects]
    ours = [digest for digest in digests if digest.get("gitCommit") == expected.commit]
    if not ours:
        raise Faulty(Fault.SUBJECT_MISMATCH, f"no subject has gitCommit {expected.commit}")
    # Every digest that we can compute must fit, asked for or not: a half-right subject is wrong.
    stated = [digest["sha256"] for digest in ours if "sha256" in digest]
    if expected.archive_required and not stated:
        raise Faulty(Fault.ARCHIVE_MISSING, "the subject has no sha256 of the files")
    if any(value != expected.archive for value in stated):
        raise Faulty(Fault.ARCHIVE_MISMATCH, f"the files are sha256 {expected.archive}")


def _check_source(definition: Mapping[str, Any], expected: Expected) -> None:
    named = [
        _object(entry, "resolvedDependencies")
        for entry in _sequence(definition, "resolvedDependencies", missing=Fault.SOURCE_MISSING)
    ]
    if not named:
        raise Faulty(Fault.SOURCE_MISSING, "resolvedDependencies is empty")
    ours = [entry for entry in named if entry.get("uri") == expected.source]
    if not ours:
        raise Faulty(Fault.SOURCE_MISMATCH, f"built from {_shown(named[0].get('uri'))}")
    for entry in ours:
        commit = _mapping(entry, "digest").get("gitCommit")
        if commit != expected.commit:
            raise Faulty(Fault.SOURCE_COMMIT_MISMATCH, f"built from commit {_shown(commit)}")


def _check_time(details: Mapping[str, Any], expected: Expected, now: datetime) -> None:
    metadata = details.get("metadata", {})
    text = _object(metadata, "metadata").get("finishedOn")
    if text is None:
        if expected.max_age is not None:
            raise Faulty(Fault.PROVENANCE_UNDATED, "runDetails.metadata.finishedOn is missing")
        return
    try:
        finished = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        finished = None
    if finished is None or finished.tzinfo is None:
        raise Faulty(Fault.STATEMENT_MALFORMED, f"finishedOn is no time: {_shown(text)}")
    if finished > now + CLOCK_SKEW:
        raise Faulty(Fault.PROVENANCE_FROM_THE_FUTURE, f"finished on {text}")
    if expected.max_age is not None and finished < now - expected.max_age:
        raise Faulty(Fault.PROVENANCE_EXPIRED, f"finished on {text}, over {expected.max_age} ago")


def _mapping(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return _object(holder.get(name), name)


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Faulty(Fault.STATEMENT_MALFORMED, f"{name} is no object")
    return value


def _sequence(
    holder: Mapping[str, Any], name: str, *, missing: Fault = Fault.STATEMENT_MALFORMED
) -> Sequence[Any]:
    value = holder.get(name)
    if value is None:
        raise Faulty(missing, f"{name} is missing")
    if not isinstance(value, list):
        raise Faulty(Fault.STATEMENT_MALFORMED, f"{name} is no list")
    return value


def _shown(value: object) -> str:
    return repr(value)[:200]
