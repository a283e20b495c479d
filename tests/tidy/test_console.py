"""The commands that our pages show do what the pages say."""

from __future__ import annotations

import pytest

import console
from tree import ROOT, files, short, text

FENCED = "```console {options}\n{body}```\n"


def runnable() -> list:
    """Every block marked `run`, as a case of its own; `slow` ones run with the slow tests."""
    return [
        pytest.param(
            block,
            id=f"{short(path)}:{block.line}",
            marks=[pytest.mark.slow] if "slow" in block.options else [],
        )
        for path in files(ending=".md")
        for block in console.blocks(text(path))
        if "run" in block.options
    ]


@pytest.mark.timeout(console.SECONDS + 20)
@pytest.mark.parametrize("block", runnable())
def test_a_page_shows_what_happens(block, tmp_path):
    assert not (found := console.run(block, tmp_path)), "\n".join(found)


def test_every_console_block_says_whether_it_runs():
    unmarked = [
        f"{short(path)}:{block.line}"
        for path in files(ending=".md")
        for block in console.blocks(text(path))
        if len(block.options & {"run", "shown"}) != 1
    ]
    assert not unmarked, f"write `run` or `shown` behind ```console: {', '.join(unmarked)}"


def faults(body: str, tmp_path, options: str = "run") -> list[str]:
    (block,) = console.blocks(FENCED.format(options=options, body=body))
    return console.run(block, tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("$ echo hello\nhello\n", id="the-same-line"),
        pytest.param("$ echo hello\n", id="any-output"),
        pytest.param("$ printf 'a\\nb\\nc\\n'\na\n...\n", id="the-rest-is-open"),
        pytest.param("$ printf 'a\\nb\\nc\\n'\na\n...\nc\n", id="the-middle-is-open"),
        pytest.param("$ echo took 12 ms\ntook ... ms\n", id="a-part-is-open"),
        pytest.param("$ false # exit 1\n", id="an-announced-exit-code"),
        pytest.param("$ mkdir a && cd a\n$ basename $PWD\na\n", id="one-shell-for-a-block"),
        pytest.param("$ printf '%s\\n' \\\n> one\none\n", id="a-continued-command"),
        pytest.param("$ ls -A\n", id="an-empty-home"),
        pytest.param("$ echo to stderr >&2\nto stderr\n", id="stderr-too"),
    ],
)
def test_a_true_page_passes(body, tmp_path):
    assert not faults(body, tmp_path)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        pytest.param("$ echo hello\nhallo\n", "the page says", id="another-line"),
        pytest.param("$ printf 'a\\nb\\n'\na\n", "the page says", id="a-line-too-many"),
        pytest.param("$ echo a\na\n...\nb\n", "the page says", id="a-line-too-few"),
        pytest.param("$ false\n", "ended with 1, not 0", id="a-silent-failure"),
        pytest.param("$ true # exit 6\n", "ended with 0, not 6", id="a-missing-failure"),
        pytest.param("$ exit 0\n$ echo on\n", "ended the shell", id="the-shell-ended"),
    ],
)
def test_a_page_that_lies_is_noticed(body, fault, tmp_path):
    assert fault in "\n".join(faults(body, tmp_path))


def test_the_repository_has_pages():
    assert (ROOT / "README.md").exists()
