"""The door through which manifests come in: text to checked, defaulted Swarm objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swarm.contract.errors import InvalidSwarm, Problem
from swarm.contract.manifest import read_documents
from swarm.contract.metadata import PROFILE_ANNOTATION
from swarm.contract.swarm import SwarmObject
from swarm.contract.tree import Document, Path, spell

if TYPE_CHECKING:
    from collections.abc import Iterator

_LISTS = frozenset({"List", "SwarmList"})


def load_swarms(text: str | bytes, *, source: str) -> list[SwarmObject]:
    """All Swarms of a manifest, in its order, with profile and defaults filled in.

    text:   YAML with one document or more, or JSON; a `List` of Swarms is opened.
    source: a name for messages, such as the file's.
    errors: InvalidSwarm with every problem of every object; UnreadableManifest (a kind of
            InvalidSwarm) when the text itself cannot be read.
    """
    documents = read_documents(text, source=source)
    problems: list[Problem] = []
    swarms: list[SwarmObject] = []
    first_of: dict[tuple[str, str], str] = {}
    for prefix, document in _objects(documents):
        found, swarm = _check(document, prefix)
        problems += found
        if swarm is None:
            continue
        identity = (swarm.metadata.namespace, swarm.name)
        if identity in first_of:
            problems.append(_twice(swarm, first_of[identity], prefix, document))
        first_of.setdefault(identity, prefix or "the first object")
        swarms.append(swarm)
    if not swarms and not problems:
        problems.append(Problem(path="items", wrong="the list holds no Swarm", right="write one"))
    if problems:
        raise InvalidSwarm(source, tuple(problems))
    return swarms


def check_swarm(tree: Any) -> SwarmObject:
    """One Swarm from plain data, such as an object that an API or a database gave back.

    errors: InvalidSwarm, with every problem.
    """
    problems, swarm = _check(Document(tree=tree, lines={}), "")
    if swarm is None:
        raise InvalidSwarm("the object", tuple(problems))
    return swarm


def _objects(documents: list[Document]) -> Iterator[tuple[str, Document]]:
    """Each object with what to write before its paths; nothing when there is but one."""
    for number, document in enumerate(documents):
        prefix = f"documents[{number}]." if len(documents) > 1 else ""
        tree = document.tree
        if isinstance(tree, dict) and tree.get("kind") in _LISTS:
            items = tree.get("items")
            for position, item in enumerate(items if isinstance(items, list) else []):
                start: Path = ("items", position)
                inner = {
                    path[2:]: line for path, line in document.lines.items() if path[:2] == start
                }
                yield f"{prefix}{spell(start)}.", Document(tree=item, lines=inner)
        else:
            yield prefix, document


def _check(document: Document, prefix: str) -> tuple[list[Problem], SwarmObject | None]:
    tree = document.tree
    if not isinstance(tree, dict):
        what = Problem(
            path=prefix.removesuffix("."),
            wrong="the object is not a block of fields",
            right="begin with apiVersion, kind, metadata and spec",
            line=document.lines.get(()),
        )
        return [what], None
    overlay, problem = _overlay(tree)
    problems = [problem] if problem else []
    written = tree.get("spec")
    if overlay and isinstance(written, dict):
        tree = tree | {"spec": merge(overlay, written)}
    from pydantic import ValidationError  # noqa: PLC0415

    try:
        swarm = SwarmObject.model_validate(tree, by_alias=True, by_name=False)
    except ValidationError as refusal:
        # Words for people are costly to import and needed only now.
        from swarm.contract.problems import as_problems  # noqa: PLC0415

        problems += as_problems(refusal.errors(include_url=False), document.lines)
        swarm = None
    problems = [_placed(problem, prefix, document) for problem in problems]
    problems.sort(key=lambda problem: problem.line or 0)
    if problems or swarm is None:
        return problems, None
    swarm.remember_written(written if isinstance(written, dict) else {})
    return [], swarm


def _overlay(tree: dict[str, Any]) -> tuple[dict[str, Any], Problem | None]:
    """The spec values of the profile that the object's annotation names, if it names one."""
    metadata = tree.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    name = annotations.get(PROFILE_ANNOTATION) if isinstance(annotations, dict) else None
    if not isinstance(name, str):
        return {}, None
    from swarm.contract.profiles import profile, profile_names  # noqa: PLC0415

    if name in profile_names():
        return profile(name).spec, None
    from swarm.contract.problems import unknown_word  # noqa: PLC0415

    return {}, Problem(
        path=f"metadata.annotations.{PROFILE_ANNOTATION}",
        wrong=f"there is no profile {name!r}",
        right=unknown_word(name, profile_names()),
    )


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` with the gaps filled from `below`, block by block; null counts as a gap."""
    merged = dict(above)
    for key, value in below.items():
        here = merged.get(key)
        if here is None:
            merged[key] = value
        elif isinstance(here, dict) and isinstance(value, dict):
            merged[key] = merge(value, here)
    return merged


def _placed(problem: Problem, prefix: str, document: Document) -> Problem:
    line = problem.line
    if line is None and document.lines:
        line = document.lines.get(("metadata",), document.lines.get(()))
    return Problem(
        path=f"{prefix}{problem.path}", wrong=problem.wrong, right=problem.right, line=line
    )


def _twice(swarm: SwarmObject, first: str, prefix: str, document: Document) -> Problem:
    return Problem(
        path=f"{prefix}metadata.name",
        wrong=f"{swarm.metadata.namespace}/{swarm.name} is also the name of"
        f" {first.removesuffix('.')}",
        right="give each Swarm of a namespace its own name",
        line=document.lines.get(("metadata", "name")),
    )
