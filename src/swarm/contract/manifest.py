"""Reads YAML or JSON text into plain data, and refuses every text that is no honest manifest."""

from __future__ import annotations

import json
import math
from typing import Any

from swarm.contract import strict_json
from swarm.contract.errors import Problem, UnreadableManifest
from swarm.contract.tree import MAX_BYTES, MAX_DEPTH, MAX_NODES, Document, Unreadable, stop


def read_documents(text: str | bytes, *, source: str) -> list[Document]:
    """All documents of the text that hold something.

    text:   YAML (several documents allowed) or JSON, UTF-8, at most 1 MiB.
    source: a name for messages, such as the file's.
    errors: UnreadableManifest, with every problem found.
    """
    try:
        plain = _as_text(text)
        documents = _from_json(plain)
        if documents is None:
            # Only texts that are no JSON pay for the import of a YAML parser.
            from swarm.contract.yaml_reader import YamlReader  # noqa: PLC0415

            reader = YamlReader()
            documents = reader.read(plain)
            if reader.problems:
                raise UnreadableManifest(source, tuple(reader.problems))
    except Unreadable as end:
        raise UnreadableManifest(source, (end.problem,)) from None
    found = [document for document in documents if document.tree is not None]
    if not found:
        nothing = Problem(path="", wrong="it holds no object", right="write one Swarm or more")
        raise UnreadableManifest(source, (nothing,))
    return found


def _as_text(text: str | bytes) -> str:
    try:
        raw = text.encode() if isinstance(text, str) else text
        if len(raw) > MAX_BYTES:  # first: who reads no further may have cut a character
            raise stop(f"it has more than {MAX_BYTES:,} bytes", "write a file for each few Swarms")
        return raw.decode("utf-8-sig")
    except (UnicodeEncodeError, UnicodeDecodeError) as failure:
        raise stop(f"it is not UTF-8 text ({failure.reason})", "save it as UTF-8") from None


def _from_json(text: str) -> list[Document] | None:
    """The one document of a clean JSON text; None sends the text to the YAML reader.

    JSON is read as JSON because YAML knows no surrogate pairs. A text with a fault goes to the
    YAML reader, which names the field and the line.
    """
    if not text.lstrip().startswith("{"):
        return None
    try:
        tree = strict_json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not _is_modest(tree):
        return None
    try:
        json.dumps(tree, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        wrong = "it holds half of a surrogate pair (\\ud800 to \\udfff)"
        raise stop(wrong, "write whole characters") from None
    return [Document(tree=tree, lines={})]


def _is_modest(tree: Any) -> bool:
    """Whether depth and size are within bounds and every number is finite."""
    pending: list[tuple[Any, int]] = [(tree, 0)]
    nodes = 0
    while pending:
        value, depth = pending.pop()
        nodes += 1
        if isinstance(value, dict | list):
            below = value.values() if isinstance(value, dict) else value
            pending.extend((child, depth + 1) for child in below)
        infinite = isinstance(value, float) and not math.isfinite(value)
        if infinite or depth > MAX_DEPTH or nodes > MAX_NODES:
            return False
    return True
