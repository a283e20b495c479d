"""Builds plain data from YAML parser events, with a stack of our own.

So a hostile text can neither exhaust the C stack by nesting nor the memory by aliases, duplicate
fields are seen, and each field's line is known. Plain words mean what `kubectl` makes of them
(see `contract.scalars`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from swarm.contract.errors import Problem
from swarm.contract.scalars import plain_value
from swarm.contract.tree import MAX_DEPTH, MAX_NODES, Document, Path, spell, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXT_TAGS = frozenset({None, "!", "tag:yaml.org,2002:str"})


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not been read yet."""

    value: dict[str, Any] | list[Any]
    path: Path
    anchor: str | None
    nodes_before: int
    key: str | None = None


@dataclass(slots=True)
class YamlReader:
    """Builds documents from parser events. One use only.

    problems: faults that did not end the reading; read them afterwards.
    """

    problems: list[Problem] = field(default_factory=list)
    _documents: list[Document] = field(default_factory=list)
    _open: list[_Open] = field(default_factory=list)
    _anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    _lines: dict[Path, int] = field(default_factory=dict)
    _nodes: int = 0

    def read(self, text: str) -> list[Document]:
        """All documents of the text.

        errors: Unreadable, for syntax errors, too deep nesting and too many values.
        """
        for event in _events(text):
            match event:
                case yaml.MappingStartEvent():
                    self._start(event, {})
                case yaml.SequenceStartEvent():
                    self._start(event, [])
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._end()
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.AliasEvent():
                    self._alias(event)
                case yaml.DocumentStartEvent():
                    self._anchors, self._lines = {}, {}
        return self._documents

    def _start(
        self,
        event: yaml.MappingStartEvent | yaml.SequenceStartEvent,
        value: dict[str, Any] | list[Any],
    ) -> None:
        path = self._place(event)
        if len(self._open) >= MAX_DEPTH:
            wrong = f"it is nested deeper than {MAX_DEPTH} levels"
            raise stop(wrong, "a Swarm needs no more than 6", line=_line(event))
        if event.tag not in {None, "!"}:
            self._refuse_tag(event.tag, path, event)
        before = self._nodes
        self._count(1, event)
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        self._open.append(_Open(value, path, event.anchor, before))

    def _end(self) -> None:
        done = self._open.pop()
        if done.anchor:
            self._anchors[done.anchor] = (done.value, self._nodes - done.nodes_before)
        self._put(done.value)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        top = self._open[-1] if self._open else None
        plain = event.implicit[0] and event.tag is None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._key(event, top, plain=plain)
            return
        path = self._place(event)
        if event.tag not in _TEXT_TAGS:
            self._refuse_tag(event.tag, path, event)
        self._count(1, event)
        value = plain_value(event.value) if plain else event.value
        if isinstance(value, float) and not math.isfinite(value):
            wrong = f"{event.value} is not a number that JSON knows"
            self._fault(path, wrong, "write a finite number", event)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._put(value)

    def _key(self, event: yaml.ScalarEvent, top: _Open, *, plain: bool) -> None:
        key = plain_value(event.value) if plain else event.value
        path = (*top.path, str(event.value))
        if plain and event.value == "<<":
            self._fault(path, "merge keys are not read", "write the fields out", event)
        elif not isinstance(key, str):
            wrong = f"the field name {event.value or 'null'} is not a text"
            self._fault(path, wrong, f'write it in quotes: "{event.value}"', event)
        elif key in top.value:
            wrong = f"the field is already written on line {self._lines.get(path, '?')}"
            self._fault(path, wrong, "keep one of the two", event)
        else:
            self._lines[path] = _line(event)
        top.key = event.value

    def _alias(self, event: yaml.AliasEvent) -> None:
        path = self._place(event)
        if event.anchor not in self._anchors:
            wrong = f"the alias *{event.anchor} names a part that is not finished or not there"
            raise stop(wrong, "write the value itself", path=path, line=_line(event))
        value, size = self._anchors[event.anchor]
        self._count(size, event)
        self._put(value)

    def _place(self, event: yaml.Event) -> Path:
        """The path of the value that begins here; its line is noted."""
        path: Path = ()
        if self._open:
            top = self._open[-1]
            if isinstance(top.value, list):
                path = (*top.path, len(top.value))
            elif top.key is None:
                wrong = "a field name is a list, a block or an alias"
                raise stop(wrong, "write plain names", path=top.path, line=_line(event))
            else:
                path = (*top.path, top.key)
        self._lines.setdefault(path, _line(event))
        return path

    def _put(self, value: Any) -> None:
        if not self._open:
            self._documents.append(Document(tree=value, lines=self._lines))
            return
        top = self._open[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is not None:
            top.value[top.key] = value
            top.key = None

    def _count(self, nodes: int, event: yaml.Event) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            wrong = f"it has more than {MAX_NODES:,} values once its aliases are followed"
            raise stop(wrong, "write fewer objects per file", line=_line(event))

    def _refuse_tag(self, tag: str | None, path: Path, event: yaml.Event) -> None:
        wrong = f"the tag {tag} is not read"
        self._fault(path, wrong, "drop the tag; quotes make a text", event)

    def _fault(self, path: Path, wrong: str, right: str, event: yaml.Event) -> None:
        line = _line(event)
        self.problems.append(Problem(path=spell(path), wrong=wrong, right=right, line=line))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _events(text: str) -> Iterator[yaml.Event]:
    """Parser events of the text; its syntax errors become problems with a line."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        yield from yaml.parse(text, Loader=loader)
    except yaml.MarkedYAMLError as failure:
        mark = failure.problem_mark or failure.context_mark
        said = failure.problem or failure.context or "it cannot be parsed"
        line = mark.line + 1 if mark else None
        raise stop(f"it is not YAML: {said}", "mend the text here", line=line) from None
    except yaml.YAMLError as failure:
        said = str(failure).splitlines()[0]
        raise stop(f"it is not YAML: {said}", "write printable text only") from None
