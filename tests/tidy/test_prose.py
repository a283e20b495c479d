"""The pages: links that lead somewhere, British spelling, and what each page must hold."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

from tree import ROOT, files, parsed, short, text

#: American form and ours. Words in -ize are not here: Oxford spells them so, and so does the
#: loop step Normalize. Names in code stay as their libraries spell them.
SPELLING = {
    "behavior": "behaviour",
    "color": "colour",
    "favor": "favour",
    "honor": "honour",
    "labor": "labour",
    "neighbor": "neighbour",
    "center": "centre",
    "fiber": "fibre",
    "gray": "grey",
    "defense": "defence",
    "offense": "offence",
    "catalog": "catalogue",
    "canceled": "cancelled",
    "canceling": "cancelling",
    "labeled": "labelled",
    "labeling": "labelling",
    "modeled": "modelled",
    "modeling": "modelling",
    "signaled": "signalled",
    "signaling": "signalling",
    "traveled": "travelled",
    "fulfill": "fulfil",
    "skillful": "skilful",
    "analyze": "analyse",
    "analyzed": "analysed",
    "analyzer": "analyser",
    "paralyze": "paralyse",
    "aluminum": "aluminium",
    "plow": "plough",
    "skeptical": "sceptical",
}
AMERICAN = re.compile(rf"\b({'|'.join(SPELLING)})(s|ed|ing|ful|able)?\b", re.IGNORECASE)
CODE = re.compile(r"```.*?^```|`[^`\n]*`|https?://\S+|<[^>\n]*>", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def american(prose: str) -> list[str]:
    """Each American form in a text, code and quoted names left out."""
    return [match[0] for match in AMERICAN.finditer(CODE.sub(" ", prose))]


def prose_of(path: Path) -> list[str]:
    """The docstrings and comments of a Python file."""
    tokens = tokenize.generate_tokens(io.StringIO(text(path)).readline)
    found = [token.string for token in tokens if token.type == tokenize.COMMENT]
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    nodes = (node for node in ast.walk(parsed(path)) if isinstance(node, documented))
    return found + [ast.get_docstring(node) or "" for node in nodes]


def test_prose_is_british():
    parts = [(path, text(path)) for path in files(ending=".md")]
    for path in files("src", "tools", "tests", "benchmarks", ending=".py"):
        # Most files hold no such word at all, and a search is much cheaper than a tokenizer.
        if AMERICAN.search(text(path)):
            parts += [(path, part) for part in prose_of(path)]
    found = [f"{short(path)}: {word}" for path, part in parts for word in american(part)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("sample", ["a color", "Behavior", "was canceled", "favored by none"])
def test_an_american_form_is_noticed(sample):
    assert american(sample)


@pytest.mark.parametrize("sample", ["`color`", "```\nNO_COLOR color\n```", "normalize", "colour"])
def test_code_and_oxford_spelling_pass(sample):
    assert not american(sample)


# --- links ---------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(text(page)))
    return {heading.strip().replace(" ", "-") for heading in plain}


def broken_links(page: Path) -> list[str]:
    """Each relative link of a page that leads nowhere."""
    found = []
    for target in LINK.findall(BLOCK.sub("", text(page))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        goal = (page.parent / name).resolve() if name else page
        if not goal.exists() or (anchor and goal.suffix == ".md" and anchor not in anchors(goal)):
            found.append(f"{short(page)}: {target}")
    return found


def test_every_relative_link_leads_somewhere():
    found = [fault for page in files(ending=".md") for fault in broken_links(page)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("link", ["[a](missing.md)", "[a](#missing)", "[a](page.md#missing)"])
def test_a_broken_link_is_noticed(link, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# Here\n\n{link} [b](page.md#here) [c](https://example.org/x)\n")
    assert len(broken_links(page)) == 1


# --- what a page must hold -----------------------------------------------------------------------

GATES = (
    "Discovery quality",
    "Code quality",
    "Merge policy",
    "Supply chain",
    "Progressive rollout",
    "After deployment",
)


def test_the_readme_shows_every_gate():
    page = text(ROOT / "README.md")
    assert not (missing := [gate for gate in GATES if gate not in page]), missing


def test_the_readme_names_the_commands_that_really_exist():
    page = text(ROOT / "README.md")
    for command in ("python3 dev.py demo", "python3 dev.py test"):
        assert command in page


def test_the_architecture_fits_two_hundred_lines():
    assert text(ROOT / "ARCHITECTURE.md").count("\n") <= 200


def test_the_architecture_names_every_room():
    page = text(ROOT / "ARCHITECTURE.md")
    rooms = [path.parent.name for path in (ROOT / "src" / "swarm").glob("*/__init__.py")]
    assert not (missing := [room for room in rooms if f"{room}/" not in page]), missing


RECORDS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
SECTIONS = ["Decision", "Price", "When to look again"]


@pytest.mark.parametrize("page", RECORDS, ids=lambda page: page.stem)
def test_a_decision_record_says_its_price(page):
    """One page, and the two things that are forgotten first."""
    assert [name for name in HEADING.findall(text(page)) if name in SECTIONS] == SECTIONS
    assert text(page).count("\n") <= 60


def test_decision_records_are_numbered_without_gaps():
    numbers = [int(page.name[:4]) for page in RECORDS]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 9


def test_changelog_fragments_say_what_kind_they_are():
    kinds = "security|removed|deprecated|added|changed|fixed"
    names = [path.name for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    wrong = [name for name in names if not re.fullmatch(rf"[a-z0-9-]+\.({kinds})\.md", name)]
    assert not wrong, wrong
