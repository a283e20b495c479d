"""The formats: what each says, what each refuses, and that no bytes bring a parser down."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.adapters.local.sources import json_lines, junit, ruff_json, sarif
from swarm.adapters.local.sources.errors import OutputUnreadable, ResultsUnreadable
from swarm.contract.errors import SourceDown
from swarm.core.nouns import Risk

pytestmark = pytest.mark.req("LOOP-2")
ROOT = Path("/repo")


def log(*results, rules=(), version="2.1.0", **run) -> bytes:
    driver = {"name": "scan", "rules": list(rules)}
    one = {"tool": {"driver": driver}, "results": list(results), **run}
    return json.dumps({"version": version, "runs": [one]}).encode()


def result(uri="src/a.py", line=3, **more) -> dict:
    place = {"artifactLocation": {"uri": uri}, "region": {"startLine": line}}
    return {
        "ruleId": "R1",
        "message": {"text": "bad"},
        "locations": [{"physicalLocation": place}],
        **more,
    }


def read(data: bytes):
    return sarif.parse(data, ROOT, 1.0)


class TestSarif:
    def test_a_result_is_a_statement_with_place_rule_and_tool(self):
        (line,) = read(log(result())).lines
        assert (line.title, line.path, line.line) == ("R1 bad", "src/a.py", 3)
        assert (line.rule, line.author, line.value, line.risk) == ("R1", "scan", 1.0, None)

    @pytest.mark.parametrize(
        ("level", "worth"),
        [("error", 4.0), ("warning", 1.0), ("note", 0.25), ("none", 0.1), (None, 1.0)],
    )
    def test_the_level_says_what_it_is_worth(self, level, worth):
        (line,) = read(log(result(**({"level": level} if level else {})))).lines
        assert line.value == worth

    def test_the_rule_says_the_level_where_the_result_does_not(self):
        rule = {"id": "R1", "defaultConfiguration": {"level": "error"}}
        assert read(log(result(), rules=[rule])).lines[0].value == 4.0

    @pytest.mark.parametrize(("said", "risk"), [("9.8", Risk.R2), (7, Risk.R2), ("6.9", None)])
    def test_a_grave_security_finding_raises_the_risk(self, said, risk):
        rule = {"id": "R1", "properties": {"security-severity": said}}
        assert read(log(result(), rules=[rule])).lines[0].risk == risk

    @pytest.mark.parametrize(
        "change",
        [
            {"kind": "pass"},
            {"kind": "notApplicable"},
            {"suppressions": [{"kind": "inSource"}]},
            {"suppressions": [{"kind": "external", "status": "accepted"}]},
            {"baselineState": "absent"},
        ],
    )
    def test_what_passed_or_was_accepted_or_is_gone_is_none(self, change):
        report = read(log(result(**change)))
        assert (report.lines, report.refusals.all()) == ([], ())

    def test_a_rejected_suppression_suppresses_nothing(self):
        assert read(log(result(suppressions=[{"status": "rejected"}]))).lines

    @pytest.mark.parametrize(
        ("uri", "path"),
        [
            ("src/a.py", "src/a.py"),
            ("./src/a.py", "src/a.py"),
            ("src/with%20space.py", "src/with space.py"),
            ("file:///repo/src/a.py", "src/a.py"),
            ("/repo/src/a.py", "src/a.py"),
        ],
    )
    def test_every_spelling_of_a_path_is_the_one_of_the_repository(self, uri, path):
        assert read(log(result(uri))).lines[0].path == path

    @pytest.mark.parametrize("uri", ["file:///etc/passwd", "/etc/passwd", "https://x.test/a.py"])
    def test_a_path_outside_is_refused(self, uri):
        report = read(log(result(uri), result()))
        assert len(report.lines) == 1
        assert "run 1, result 1" in report.refusals.all()[0]

    def test_paths_by_base_and_by_index_are_resolved(self):
        based = result("a.py")
        based["locations"][0]["physicalLocation"]["artifactLocation"]["uriBaseId"] = "SRC"
        indexed = result()
        indexed["locations"][0]["physicalLocation"]["artifactLocation"] = {"index": 0}
        report = read(
            log(
                based,
                indexed,
                originalUriBaseIds={"SRC": {"uri": "file:///repo/deep/"}},
                artifacts=[{"location": {"uri": "b.py"}}],
            )
        )
        assert [line.path for line in report.lines] == ["deep/a.py", "b.py"]

    def test_messages_by_id_are_put_together(self):
        rule = {"id": "R1", "messageStrings": {"m": {"text": "{0} of {1} in {7}"}}}
        said = result(message={"id": "m", "arguments": ["one", "two"]})
        assert read(log(said, rules=[rule])).lines[0].title == "R1 one of two in {7}"

    def test_a_rule_is_found_by_index_and_by_sub_rule(self):
        rules = [{"id": "X"}, {"id": "CA1", "defaultConfiguration": {"level": "error"}}]
        by_index = {**result(), "ruleIndex": 1}
        del by_index["ruleId"]
        sub = result(ruleId="CA1/2")
        first, second = read(log(by_index, sub, rules=rules)).lines
        assert (first.rule, first.value) == ("CA1", 4.0)
        assert (second.rule, second.value) == ("CA1/2", 4.0)

    def test_a_tool_that_did_not_finish_is_told(self):
        report = read(log(result(), invocations=[{"executionSuccessful": False}]))
        assert "did not finish" in report.refusals.all()[0]

    @pytest.mark.parametrize("said", [True, 1, 1.5, "yes", {"a": 1}])
    def test_how_it_ran_may_be_malformed_without_hiding_what_it_found(self, said):
        report = read(log(result(), invocations=said))
        assert len(report.lines) == 1
        assert report.refusals.all() == ("run 1: invocations is no list",)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"{}",
            b"[]",
            b"null",
            b'{"version": "2.0.0", "runs": []}',
            b'{"version": "2.1.0"}',
            b'{"version": "2.1.0", "runs": {}}',
            b"\xff\xfe",
            b"[" * 200_000,
            b'{"version": "2.1.0", "runs": [',
        ],
    )
    def test_what_is_no_log_is_never_read_as_clean(self, data):
        with pytest.raises(OutputUnreadable):
            read(data)

    @pytest.mark.parametrize(
        "broken",
        [1, "x", [], None, {"message": 1}, {"message": {}}, {"locations": {}}, {"locations": [1]},
         {"message": {"text": "x"}, "rule": []}, {"message": {"text": "x"}, "suppressions": [1]}],
    )  # fmt: skip
    def test_a_malformed_result_is_refused_and_the_rest_is_kept(self, broken):
        report = read(log(broken, result()))
        assert (len(report.lines), len(report.refusals.all())) == (1, 1)

    def test_ruff_writes_it_like_that(self, tmp_path):
        (tmp_path / "a.py").write_text("import os\n")
        command = ["check", "--isolated", "--select", "F401", "--output-format=sarif", "."]
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", *command], cwd=tmp_path, capture_output=True, check=False
        )
        (line,) = sarif.parse(ran.stdout, tmp_path, 1.0).lines
        assert (line.rule, line.path, line.line, line.author) == ("F401", "a.py", 1, "ruff")


class TestRuff:
    def test_a_finding_is_a_statement(self, tmp_path):
        (tmp_path / "a.py").write_text("import os\nx = 1\n")
        command = ["check", "--isolated", "--select", "F401", "--output-format=json", "."]
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", *command], cwd=tmp_path, capture_output=True, check=False
        )
        (line,) = ruff_json.parse(ran.stdout, tmp_path).lines
        assert (line.title, line.rule) == ("F401 `os` imported but unused", "F401")
        assert (line.path, line.line) == ("a.py", 1)
        assert "Remove unused import" in line.body

    def test_what_its_own_repair_would_leave_is_for_somebody_else(self, tmp_path):
        """An agent that runs `ruff --fix` fails every mission about a finding that it leaves."""

        def ruff(rule, *more):
            chosen = ["--isolated", "--select", rule, "--output-format=json"]
            command = [sys.executable, "-m", "ruff", "check", *chosen, *more, "."]
            ran = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
            return ruff_json.parse(ran.stdout, tmp_path, "lint").lines

        (tmp_path / "pkg").mkdir()
        (tmp_path / "pkg" / "__init__.py").write_text("import os\n")
        (tmp_path / "a.py").write_text(
            "import os\nfrom typing import List\n\n\ndef f(a: List[int]):\n"
            '    """Text. \n  \n    """\n    return a \n'
        )
        classes = set()
        for rule in ("UP035", "F401", "UP006", "W291", "W293"):
            found = ruff(rule)
            classes |= {one.mission_class for one in found}
            left = [one.path for one in ruff(rule, "--fix")]
            assert left == [one.path for one in found if one.mission_class == "lint"]
        assert classes == {None, "lint"}

    def test_a_file_that_cannot_be_parsed_is_a_finding_too(self, tmp_path):
        (tmp_path / "a.py").write_text("def f(:\n")
        command = ["check", "--isolated", "--output-format=json", "."]
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", *command], cwd=tmp_path, capture_output=True, check=False
        )
        assert {line.rule for line in ruff_json.parse(ran.stdout, tmp_path).lines} == {
            "invalid-syntax"
        }

    def test_a_row_in_a_cell_of_a_notebook_is_no_line_of_its_file(self, tmp_path):
        """It was cited as one: line 1 of every notebook is a brace."""
        code = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
        cells = [{**code, "source": ["A = 1"]}, {**code, "source": ["import os"]}]
        about = {"language_info": {"name": "python"}}
        book = {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 4}
        (tmp_path / "a.ipynb").write_text(json.dumps(book, indent=1))
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", "check", "--isolated", "--output-format=json", "."],
            cwd=tmp_path, capture_output=True, check=False,
        )  # fmt: skip
        (line,) = ruff_json.parse(ran.stdout, tmp_path).lines
        assert (line.rule, line.path, line.line) == ("F401", "a.ipynb", 0)

    @pytest.mark.parametrize("data", [b"", b"{}", b"All checks passed!", b"\xff", b"[" * 99_999])
    def test_what_is_no_list_is_never_read_as_clean(self, data):
        with pytest.raises(OutputUnreadable):
            ruff_json.parse(data, ROOT)

    def test_malformed_findings_are_refused_one_by_one(self):
        good = {"code": "F1", "message": "m", "filename": "a.py", "location": {"row": 1}}
        outside = {**good, "filename": "/etc/passwd"}
        data = json.dumps([1, {}, None, outside, {**good, "location": 3}, good]).encode()
        report = ruff_json.parse(data, ROOT)
        assert (len(report.lines), len(report.refusals.all())) == (1, 5)


def suite(*cases: str) -> bytes:
    return f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>".encode()


FAILED = b"<testcase name='x'><failure message='red'/></testcase></testsuite>"


class TestJunit:
    def test_failures_and_errors_are_statements_and_nothing_else_is(self):
        report = junit.parse(
            suite(
                '<testcase classname="t" name="ok"/>',
                '<testcase classname="t" name="s"><skipped/></testcase>',
                '<testcase classname="t" name="bad" file="t.py" line="4">'
                '<failure message="assert 1 == 2">trace</failure></testcase>',
                '<testcase classname="t" name="worse"><error message="boom"/></testcase>',
            ),
            ROOT,
            "r.xml",
        )
        bad, worse = report.lines
        assert (bad.title, bad.body) == ("t::bad fails: assert 1 == 2", "trace")
        assert (bad.path, bad.line, bad.citation) == ("t.py", 5, "")
        assert (worse.title, worse.citation) == ("t::worse cannot run: boom", "test:t::worse")

    def test_the_place_is_read_from_the_trace_when_it_is_no_attribute(self):
        text = "def f():\n    x\n\nsrc/a.py:3: \nsrc/b.py:17: AssertionError\n"
        (line,) = junit.parse(
            suite(f'<testcase name="x"><failure>{text}</failure></testcase>'), ROOT, "r.xml"
        ).lines
        assert (line.path, line.line) == ("src/b.py", 17)

    @pytest.mark.slow
    @pytest.mark.parametrize("family", ["xunit1", "xunit2"])
    def test_pytest_writes_it_like_that(self, tmp_path, family, python):
        (tmp_path / "test_a.py").write_text("def test_x():\n    assert 1 == 2\n")
        command = ["-m", "pytest", "-q", "--junit-xml=r.xml", "-o", f"junit_family={family}"]
        subprocess.run(
            [python, *command, "-p", "no:cacheprovider", "test_a.py"],
            cwd=tmp_path, capture_output=True, check=False,
        )  # fmt: skip
        (line,) = junit.parse((tmp_path / "r.xml").read_bytes(), tmp_path, "r.xml").lines
        assert line.path == "test_a.py"
        assert line.line in {1, 2}
        assert "assert 1 == 2" in line.title

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"not xml",
            b"<testsuite>",
            b"<html/>",
            b"\x00",
            b"\xff\xfe<\x00",
            b'<?xml version="1.0" encoding="nonsense"?><testsuite/>',
        ],
    )
    def test_what_is_no_whole_result_is_never_read_as_green(self, data):
        with pytest.raises(ResultsUnreadable):
            junit.parse(data, ROOT, "r.xml")

    @pytest.mark.parametrize(
        "doctype",
        [
            '<!DOCTYPE t [<!ENTITY a "1234567890"><!ENTITY b "&a;&a;&a;">]>',
            '<!DOCTYPE t SYSTEM "file:///etc/passwd">',
            "<!DOCTYPE testsuite>",
        ],
    )
    def test_a_document_type_is_refused_before_anything_is_expanded(self, doctype):
        with pytest.raises(ResultsUnreadable, match="document type"):
            junit.parse(f"{doctype}<testsuite/>".encode(), ROOT, "r.xml")

    @pytest.mark.parametrize(
        "data",
        [
            b"<testsuite>" + b"<a/>" * 100_000 + FAILED,
            b"<testsuite><testcase name='x'><failure message='red'/>" + b"<failure/>" * 60_000
            + b"<system-out/>" * 20_000 + b"</testcase></testsuite>",
        ],
        ids=["around-the-cases", "in-a-case"],
    )  # fmt: skip
    def test_what_a_file_is_full_of_is_not_kept(self, data):
        """As a tree it is ten megabytes."""
        tracemalloc.start()
        try:
            (line,) = junit.parse(data, ROOT, "r.xml").lines
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert "red" in line.title
        assert peak < 2 * 1024 * 1024

    def test_endless_nesting_is_no_result(self):
        with pytest.raises(ResultsUnreadable, match=r"r\.xml is nested deeper than any report"):
            junit.parse(b"<testsuite>" * 200 + b"</testsuite>" * 200, ROOT, "r.xml")

    def test_a_path_outside_is_no_citation(self):
        case = '<testcase name="x" file="../../etc/passwd" line="1"><failure/></testcase>'
        (line,) = junit.parse(suite(case), ROOT, "r.xml").lines
        assert (line.path, line.citation) == ("", "test:x")


def test_as_many_lines_are_read_as_can_be_remembered(monkeypatch):
    """A million short ones are a gigabyte when they are read."""
    monkeypatch.setattr(json_lines, "MOST_STANDING", 3)
    report = json_lines.parse(b'{"title": "a"}\n\n{"title": "b"}\nno\n\n{"title": "c"}\n', ROOT)
    assert [line.title for line in report.lines] == ["a", "b"]
    assert report.refusals.all()[1:] == ("line 6: 3 are read at once; the rest is left out",)
    monkeypatch.setattr(json_lines, "MOST_STANDING", 4)
    report = json_lines.parse(b'{"title": "a"}\n\n{"title": "b"}\nno\n\n{"title": "c"}\n', ROOT)
    assert [line.title for line in report.lines] == ["a", "b", "c"]


WORDS = (
    *("version", "runs", "results", "message", "text", "locations", "physicalLocation"),
    *("artifactLocation", "uri", "region", "startLine", "ruleId", "level", "tool"),
    *("driver", "rules", "code", "filename", "location", "row", "title", "path"),
    *("paths", "rule", "risk", "value", "cost", "id", "suppressions", "properties"),
    *("security-severity", "index", "ruleIndex", "fix", "artifacts", "originalUriBaseIds"),
    *("uriBaseId", "messageStrings"),
)
JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(WORDS),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@pytest.mark.slow
@settings(max_examples=2 * settings.default.max_examples)
@given(st.binary(max_size=300) | JSONISH.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_bring_a_parser_down(data):
    json_lines.parse(data, ROOT)
    for parse in (ruff_json.parse, lambda d, r: junit.parse(d, r, "x"), lambda d, _: read(d)):
        try:
            parse(data, ROOT)
        except SourceDown:
            continue


@pytest.mark.slow
@settings(max_examples=2 * settings.default.max_examples)
@given(JSONISH, JSONISH)
def test_no_result_brings_a_log_down(one, other):
    run = {"tool": {"driver": {"rules": [one]}}, "results": [other, result()], "artifacts": other}
    report = read(json.dumps({"version": "2.1.0", "runs": [run, one]}).encode())
    assert len(report.lines) + len(report.refusals.all()) >= 1


@pytest.mark.slow
@settings(max_examples=2 * settings.default.max_examples)
@given(JSONISH)
def test_no_entry_brings_the_lines_down(entry):
    report = json_lines.parse(json.dumps(entry).encode() + b'\n{"title": "good"}', ROOT)
    assert report.lines[-1].title == "good"


@pytest.mark.slow
def test_ten_thousand_findings_are_read_in_a_second_or_two():
    data = log(*[result(f"src/f{n}.py") for n in range(10_000)])
    start = time.process_time()
    assert len(read(data).lines) == 10_000
    assert time.process_time() - start < 4


def test_a_number_that_no_float_holds_does_not_hide_the_other_results():
    huge = result(properties={"security-severity": 10**400})
    assert [line.risk for line in read(log(huge, result())).lines] == [None, None]


def test_an_argument_that_a_text_repeats_is_cut():
    """One result would unfold to gigabytes."""
    message = {"text": "{0}" * 2_000, "arguments": ["y" * 1_000_000]}
    assert len(read(log(result(message=message))).refusals.all()) == 1


def test_a_grave_finding_of_a_source_that_is_worth_much_is_worth_the_most():
    lines = sarif.parse(log(result(level="error")), ROOT, 500_000.0).lines
    assert [line.value for line in lines] == [1_000_000.0]
