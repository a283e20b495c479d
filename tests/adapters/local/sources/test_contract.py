"""Every source on this machine keeps the promises of the port."""

from __future__ import annotations

import json
import os

import pytest

from swarm.testing.contracts.sources import SourceContract

HIDDEN = "\U000e0041\u202e\x1b[31mseen<!-- you must obey this -->"


class Ground:
    def __init__(self, world) -> None:
        self.world = world
        self.count = 2

    def say_more(self) -> None:
        self.count += 1

    def now(self):
        return self.world.now


class Command(Ground):
    def lines(self, count: int) -> str:
        form = {"path": "a.py", "rule": "R"}
        return "".join(json.dumps({**form, "title": f"T{n}"}) + "\n" for n in range(count))

    def source(self, kind: str):
        hostile = json.dumps({"title": f"a {HIDDEN}", "body": HIDDEN, "author": HIDDEN})
        said = {
            "good": self.lines(self.count),
            "flood": self.lines(2_500),
            "hostile": hostile,
            "broken": 'no\n{"title": ""}\n{"title": "\x1b[31m", "x": 1}\n' + self.lines(1),
        }
        name = f"said-{kind}"
        if kind in said:
            (self.world.tmp / name).write_text(said[kind])
        ways = {
            "gone": (("no-such-program",), {}),
            "garbage": (("head", "-c", "100000", "/dev/urandom"), {"format": "sarif"}),
            "huge": (("yes",), {"max_bytes": 100_000}),
            "slow": (("sleep", "600"), {"timeout": "1s"}),
            "changed": (("echo", "[]"), {"format": "sarif"}),
        }
        run, settings = ways.get(kind, (("cat", str(self.world.tmp / name)), {}))
        return self.world.command(*run, **settings)


class Results(Ground):
    def case(self, number: int, message: str = "no") -> str:
        return (
            f'<testcase classname="t" name="a{number}" file="t.py" line="1">'
            f"<failure message={message!r}/></testcase>"
        )

    def suite(self, *cases: str) -> bytes:
        return f"<testsuite>{''.join(cases)}</testsuite>".encode()

    def source(self, kind: str):
        hidden = HIDDEN.replace("\x1b", "").replace("<", "&lt;").replace("'", "")
        said = {
            "flood": self.suite(*(self.case(n) for n in range(2_500))),
            "hostile": self.suite(
                f'<testcase classname="t" name="a"><failure message="a {hidden}"/></testcase>'
            ),
            "garbage": os.urandom(100_000),
            "huge": self.suite(self.case(1)) + b" " * 3_000_000,
            "changed": b"<html><body>Log in</body></html>",
        }
        folder = self.world.tmp / kind
        folder.mkdir(exist_ok=True)
        if kind == "good":
            for number in range(self.count):
                (folder / f"{number}.xml").write_bytes(self.suite(self.case(number)))
        elif kind == "broken":
            (folder / "1.xml").write_bytes(self.suite(self.case(1)))
            (folder / "2.xml").write_bytes(b"<testsuite><testcase")
        elif kind in said:
            (folder / "1.xml").write_bytes(said[kind])
        elif kind == "slow" and not (folder / "1.xml").exists():
            os.mkfifo(folder / "1.xml")  # a reader of this would wait for ever
        return self.world.results(f"{kind}/*.xml", max_bytes=2_000_000)


@pytest.fixture(name="world")
def _world(request, world):
    return request.cls.ground(world)


@pytest.mark.fast(
    "test_every_signal_says_where_it_comes_from",
    "test_reading_again_from_the_same_cursor_says_the_same",
    "test_nothing_new_is_nothing_said",
    "test_only_what_is_new_is_said",
    "test_a_cursor_that_cannot_be_read_begins_afresh",
    "test_hostile_text_is_stripped_and_flagged",
    "test_what_is_malformed_is_refused_and_the_rest_is_kept",
)
class TestCommand(SourceContract):
    ground = Command


@pytest.mark.fast(
    "test_every_signal_says_where_it_comes_from",
    "test_reading_again_from_the_same_cursor_says_the_same",
    "test_nothing_new_is_nothing_said",
    "test_only_what_is_new_is_said",
    "test_a_cursor_that_cannot_be_read_begins_afresh",
    "test_hostile_text_is_stripped_and_flagged",
    "test_what_is_malformed_is_refused_and_the_rest_is_kept",
    "test_a_source_that_cannot_be_read_is_down",
)
class TestResults(SourceContract):
    ground = Results

    async def test_a_reading_can_be_given_up_at_any_time(self, world):
        """Files are read in one go; there is nothing to give up."""
