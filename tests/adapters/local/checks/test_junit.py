"""Counting tests in a result file that a hostile test run wrote."""

from __future__ import annotations

import subprocess
import sys

import pytest

from swarm.adapters.local.checks import junit

pytestmark = pytest.mark.req("GATE-2")
CASES = (
    "<testcase name='a'/><testcase name='b'><skipped/></testcase>"
    "<testcase name='c'><failure>f</failure></testcase><testcase><properties><skipped/>"
    "</properties></testcase><x:testcase xmlns:x='u'><x:disabled/></x:testcase>"
)


def test_cases_that_were_skipped_did_not_run(tmp_path):
    (tmp_path / "r.xml").write_text(f"<testsuites><testsuite>{CASES}</testsuite></testsuites>")
    assert junit.tests_run(tmp_path, "r.xml") == 3


def test_endless_nesting_is_no_report(tmp_path):
    (tmp_path / "r.xml").write_text("<a>" * 10_000 + "</a>" * 10_000)
    assert junit.tests_run(tmp_path, "r.xml") is None


def test_a_file_full_of_elements_costs_no_memory(tmp_path):
    (tmp_path / "r.xml").write_text(f"<a>{'<b/>' * 500_000}<testcase/></a>")
    script = (
        "import pathlib, re, sys; from swarm.adapters.local.checks import junit;"
        "print(junit.tests_run(pathlib.Path(sys.argv[1]), 'r.xml'), re.search(r'VmHWM:\\s+(\\d+)',"
        " pathlib.Path('/proc/self/status').read_text())[1])"
    )
    said = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    tests, peak = said.stdout.split()
    assert (tests, int(peak) < 45 * 1024) == ("1", True), peak


def test_a_link_in_the_commit_leads_to_no_file_that_is_removed(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/out.xml").write_text("<testsuite/>")
    work = tmp_path / "work"
    work.mkdir()
    (work / "reports").symlink_to("../theirs")
    junit.remove(work, "reports/out.xml")
    assert (tmp_path / "theirs/out.xml").exists()
    (work / "out.xml").symlink_to("../theirs/out.xml")
    junit.remove(work, "out.xml")
    assert not (work / "out.xml").is_symlink()
