"""The test cases of a JUnit XML file, one after another; hostile ones are refused, not kept.

Nothing stays of what was read but the case that is being read. As a tree, 64 MiB of `<a/>` would
be more than a gigabyte.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, BinaryIO

from defusedxml.ElementTree import iterparse

DEEPEST = 100  #: elements inside each other; reports have four or five
#: How a case ended. All else that stands in it, such as what it printed, is passed over.
ENDINGS = frozenset({"failure", "error", "skipped", "disabled"})


class NotJunit(ValueError):
    """XML, and no report of tests."""


def plain(tag: Any) -> str:
    """The name of an element without its namespace."""
    return str(tag).rpartition("}")[2]


def cases(file: BinaryIO, roots: Collection[str] = ()) -> Iterator[Any]:
    """Each element `testcase`, whole, with the first of its children for each ending.

    roots: names of which the first element must have one; empty means any.

    Raises NotJunit, xml's ParseError, ValueError or LookupError, and DefusedXmlException where a
    document type is declared; all of them may come after the first cases.
    """
    around: list[Any] = []
    for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
        name = plain(element.tag)
        if event == "start":
            if roots and not around and name not in roots:
                raise NotJunit(f"begins with {name[:40]!r}, not with {min(roots)}")
            if len(around) >= DEEPEST:
                raise NotJunit("is nested deeper than any report")
            around.append(element)
            continue
        around.pop()
        if name == "testcase":
            yield element
        if around and not _tells(around[-1], element, name):
            around[-1].remove(element)


def _tells(parent: Any, child: Any, name: str) -> bool:
    return plain(parent.tag) == "testcase" and name in ENDINGS and parent.find(child.tag) is child
