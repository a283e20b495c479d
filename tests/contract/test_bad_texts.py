"""Texts that are no honest manifest: hostile, broken, or with more than one meaning."""

import json
import time

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarm.contract.errors import InvalidSwarm, UnreadableManifest
from swarm.contract.manifest import read_documents
from swarm.contract.scalars import plain_value
from swarm.contract.validate import load_swarms

pytestmark = pytest.mark.req("API-5")

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "wrong", "line"),
    [
        pytest.param("", "holds no object", None, id="empty"),
        pytest.param("---\n---\n# nothing\n", "holds no object", None, id="only-comments"),
        pytest.param("null\n", "holds no object", None, id="null"),
        pytest.param(b"\xff\xfe\x00", "not UTF-8", None, id="binary"),
        pytest.param(b"\x80abc", "not UTF-8", None, id="latin"),
        pytest.param("a: \ud800", "not UTF-8", None, id="half-a-character"),
        pytest.param('{"a": "\\ud800"}', "surrogate", None, id="half-a-character-in-json"),
        pytest.param("a: \x01\n", "not YAML", None, id="control-character"),
        pytest.param("x" * (1 << 20) + "y", "more than 1,048,576", None, id="above-a-mebibyte"),
        pytest.param("a: [1, 2\nb: 3\n", "not YAML", 2, id="unclosed-list"),
        pytest.param("a: b: c\n", "not YAML", 1, id="two-colons"),
        pytest.param("a:\n\t- b\n", "not YAML", 2, id="tab"),
        pytest.param(BOMB, "more than 50,000 values", 5, id="alias-bomb"),
        pytest.param("a: &a [*a]\n", "not finished", 1, id="alias-of-itself"),
        pytest.param("a: *b\n", "not there", 1, id="alias-of-nothing"),
        pytest.param("- " * 40 + "x", "deeper than 32", 1, id="deep-list"),
        pytest.param("[" * 200_000, "deeper than 32", 1, id="deep-list-that-never-ends"),
        pytest.param('{"a":' * 100_000, "deeper than 32", 1, id="deep-json"),
        pytest.param("- " * 400_000, "deeper than 32", 1, id="deep-compact-list"),
        pytest.param("? [a]\n: b\n", "field name is a list", 1, id="list-as-a-name"),
        pytest.param("? {a: b}\n: c\n", "field name is a list, a block", 1, id="block-as-a-name"),
        pytest.param("1: a\n", "field name 1 is not a text", 1, id="number-as-a-name"),
        pytest.param("yes: a\n", "field name yes is not a text", 1, id="truth-as-a-name"),
        pytest.param("~: a\n", "field name ~ is not a text", 1, id="null-as-a-name"),
        pytest.param("a: 1\nb: 2\na: 3\n", "already written on line 1", 3, id="same-field-twice"),
        pytest.param('{"a": 1,\n "a": 2}', "already written on line 1", 2, id="twice-in-json"),
        pytest.param("a: .nan\n", "not a number that JSON knows", 1, id="not-a-number"),
        pytest.param("a: -.inf\n", "not a number that JSON knows", 1, id="infinity"),
        pytest.param("a: 1e999\n", "not a number that JSON knows", 1, id="beyond-all-numbers"),
        pytest.param('{"a": 1e999}', "not a number that JSON knows", 1, id="beyond-in-json"),
        pytest.param("a: &x {b: 1}\nc:\n  <<: *x\n", "merge keys", 3, id="merge-key"),
        pytest.param("a: !!python/object:os.system x\n", "the tag", 1, id="python-tag"),
        pytest.param("a: !!binary aGk=\n", "the tag", 1, id="binary-tag"),
        pytest.param("a: !secret x\n", "the tag !secret", 1, id="own-tag"),
        pytest.param("a: !!set {b: null}\n", "the tag", 1, id="set-tag"),
    ],
)
def test_a_text_that_cannot_be_read_safely_is_refused(text, wrong, line):
    started = time.process_time()
    with pytest.raises(UnreadableManifest) as refusal:
        load_swarms(text, source="bad.yaml")
    assert time.process_time() - started < 5
    problem = refusal.value.problems[0]
    assert wrong in problem.wrong
    assert problem.right
    assert problem.line == line
    assert str(refusal.value).startswith("bad.yaml: ")


@pytest.mark.parametrize("text", ["just words", "- a\n- b\n", "[]", "7", "true"])
def test_a_document_that_is_no_block_of_fields_is_refused(text):
    with pytest.raises(InvalidSwarm) as refusal:
        load_swarms(text, source="x")
    assert "begin with apiVersion" in refusal.value.problems[0].right


def test_a_modest_alias_is_followed():
    (document,) = read_documents("a: &x [1, 2]\nb: *x\nc: &y z\nd: *y\n", source="x")
    assert document.tree == {"a": [1, 2], "b": [1, 2], "c": "z", "d": "z"}


def test_a_byte_order_mark_is_no_part_of_the_text():
    assert read_documents(b"\xef\xbb\xbfa: 1\n", source="x")[0].tree == {"a": 1}


def test_json_may_write_one_character_as_two_halves():
    assert read_documents('{"a": "\\ud83d\\ude00"}', source="x")[0].tree == {"a": "😀"}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        *(("5m", "5m"), ("1:30", "1:30"), ("22:22", "22:22"), ("2026-03-01", "2026-03-01")),
        *(("1e3", 1000.0), ("0.75", 0.75), (".5", 0.5), ("1.", 1.0), ("1.5.2", "1.5.2")),
        *(("0x1f", 31), ("0b11", 3), ("0o17", 15), ("017", 15), ("1_000", 1000), ("-3", -3)),
        *(("yes", True), ("On", True), ("y", True), ("no", False), ("off", False), ("N", False)),
        *(("~", None), ("", None), ("null", None), ("nil", "nil"), ("None", "None")),
        *(("0", 0), ("08", 8.0), ("-", "-"), ("+", "+"), ("1-2", "1-2"), ("TrUe", "TrUe")),
    ],
)
def test_a_plain_word_means_what_kubectl_makes_of_it(word, value):
    """Go's yaml.v2 rules: no dates, no base sixty, `1e3` is a number, `017` is octal."""
    read = plain_value(word)
    assert (read, type(read)) == (value, type(value))


def test_quotes_always_make_a_text():
    (document,) = read_documents("a: '5'\nb: \"yes\"\nc: !!str 7\nd: |\n  7\n", source="x")
    assert document.tree == {"a": "5", "b": "yes", "c": "7", "d": "7\n"}


class Quoted(yaml.SafeDumper):
    """Writes every text in quotes."""


Quoted.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)

TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=8), below, max_size=4)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text(min_size=1, max_size=8), TREES, min_size=1, max_size=4))
def test_json_is_read_as_it_was_written(tree):
    (document,) = read_documents(json.dumps(tree), source="x")
    assert document.tree == tree


@given(TREES)
def test_yaml_is_read_as_it_was_written(tree):
    """Texts are dumped in quotes, because plain words mean other things to other readers."""
    text = yaml.dump({"a": tree, "z": 1}, Dumper=Quoted, allow_unicode=True)
    (document,) = read_documents(text, source="x")
    assert document.tree == json.loads(json.dumps({"a": tree, "z": 1}))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet="ab:-[]{}&*!|>'\"#, \n\t<?%@`0.~", max_size=80) | st.text() | st.binary())
def test_any_text_is_refused_with_reasons(text):
    # No such text is a whole Swarm, so each must be refused; any other exception fails the test.
    with pytest.raises(InvalidSwarm) as refusal:
        load_swarms(text, source="x")
    assert refusal.value.problems
    assert all(problem.wrong and problem.right for problem in refusal.value.problems)


@given(TREES)
def test_any_spec_is_a_spec_or_is_refused_with_reasons(tree):
    whole = {
        "apiVersion": "swarm.proompteng.ai/v1alpha1",
        "kind": "Swarm",
        "metadata": {"name": "a"},
        "spec": tree,
    }
    with pytest.raises(InvalidSwarm) as refusal:
        load_swarms(json.dumps(whole), source="x")
    assert all(problem.path.startswith("spec") for problem in refusal.value.problems)
