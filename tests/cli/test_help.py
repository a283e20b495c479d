"""Help, unknown words and the shape of errors: what a person meets before anything works."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re

import pytest
from cyclopts import App

from swarm.cli import app as tree
from swarm.cli.explain import every_error
from swarm.cli.kinds import KINDS, kind_named

PLACES = {verb: place for verbs in tree._TREE.values() for verb, (_, place) in verbs.items()}


def functions(verb):
    """(words to type, function) of a verb, or of each verb below it."""
    module, _, name = (PLACES[verb] or f"{verb}:{verb}").partition(":")
    target = getattr(importlib.import_module(f"swarm.cli.{module}"), name)
    return list(below((verb,), target))


def below(words, target):
    if not isinstance(target, App):
        yield words, target
        return
    for one in target:
        if one[0] != "-":
            yield from below((*words, one), target[one].default_command or target[one])


EVERY = [pytest.param(*one, id=" ".join(one[0])) for verb in PLACES for one in functions(verb)]


@pytest.mark.parametrize(("words", "function"), EVERY)
def test_help_says_what_it_does_how_it_ends_and_shows_an_example(verb, words, function):
    said = verb(*words, "--help")
    assert said.code == 0, said.err
    text = " ".join(said.out.split())
    assert f"Usage: swarmctl {' '.join(words)}" in text
    assert re.search(r"Exit status: \d", text), "how it ends is missing"
    assert "Example: " in text
    example = re.search(r"^\s*Example: (.+)$", inspect.getdoc(function), re.MULTILINE)[1]
    assert f"swarmctl {' '.join(words)}" in example, "the example shows another verb"


def metadata(parameter):
    """What `Annotated` says about a parameter."""
    return getattr(parameter.annotation, "__metadata__", ())


@pytest.mark.parametrize(("words", "function"), EVERY)
def test_every_parameter_is_explained(words, function):
    asked = dict(inspect.signature(function, eval_str=True).parameters)
    for name, one in list(asked.items()):
        if dataclasses.is_dataclass(one.annotation):
            asked |= inspect.signature(asked.pop(name).annotation, eval_str=True).parameters
    mute = [
        name
        for name, one in asked.items()
        if not any(getattr(part, "help", "") for part in metadata(one))
    ]
    assert not mute, f"{' '.join(words)}: parameters without help: {mute}"


def test_a_bare_call_prints_the_help(verb):
    said = verb()
    assert said.code == 0
    assert all(name in said.out for name in PLACES)
    assert said.out == verb("--help").out


@pytest.mark.slow
def test_the_list_of_verbs_imports_none_of_them(start):
    """A verb that cannot be imported must not take the others down."""
    command = start("--help", env={"PYTHONPROFILEIMPORTTIME": "1"})
    out, err = command.communicate(timeout=60)
    assert b"Declare:" in out
    assert b"swarm.cli.get" not in err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        pytest.param(("gett",), "did you mean `get`?", id="verb"),
        pytest.param(("mission", "cancle"), "did you mean `mission cancel`?", id="verb-below"),
        pytest.param(("get", "--outputt", "json"), "Did you mean --output?", id="option"),
        pytest.param(("get", "misions"), "did you mean missions?", id="kind"),
        pytest.param(("get", "-o", "jsno"), 'Did you mean "json"?', id="form"),
        pytest.param(("explain", "RetriesSpendt"), "did you mean RetriesSpent?", id="reason"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(place, words, meant):
    said = place(*words)
    assert said.code in {2, 5}
    assert meant in said.err
    assert not said.out


def test_the_plugin_names_itself_as_people_call_it(verb, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/usr/local/bin/kubectl-swarm"])
    assert verb().out.startswith("Usage: kubectl-swarm")
    assert "more: kubectl-swarm explain SWM701" in verb("gett").err


@pytest.mark.fast("SWM003", "SWM707")
@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.code)
def test_every_code_is_explained_with_its_fix(verb, kind):
    said = verb("explain", kind.code)
    assert said.code == 0
    assert f"fix:   {kind.remedy}" in said.out
    assert f"(exit {kind.exit_code})" in said.out


def test_a_fault_of_ours_is_no_traceback_and_says_where(verb, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("by hand")

    monkeypatch.setattr("swarm.cli.version.show_one", broken)
    said = verb("version", "-o", "json")
    assert said.code == 1
    assert "error SWM707: ZeroDivisionError at test_help.py" in said.err
    assert "Traceback" not in said.err


def test_nothing_here_names_the_way_in(verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SWARM_HOME", raising=False)
    said = verb("get", "missions")
    assert said.code == 5
    assert "swarmctl init" in said.err


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_goes_by_its_singular_its_plural_and_what_its_objects_are_called(kind):
    single = kind.single.lower()
    words = (kind.name, kind.name.removesuffix("s"), single, f"{single}s", kind.short)
    assert {kind_named(word).name for word in words} == {kind.name}


@pytest.mark.parametrize("field", ["apiVersion", "kind", "metadata", "spec", "status"])
def test_the_fields_of_the_object_itself_are_explained(verb, field):
    said = verb("explain", field)
    assert said.code == 0
    assert said.lines[0].startswith(f"{field}  <")


def test_the_values_of_a_choice_are_listed(verb):
    assert "  one of: assisted, lights-out" in verb("explain", "spec.mode").lines


@pytest.mark.parametrize(
    "word", ["Frozen", "ApprovalNeeded", "Verifying", "rolled-back", "not configured"]
)
def test_words_that_people_meet_are_explained(verb, word):
    said = verb("explain", word)
    assert said.code == 0
    assert len(said.lines[1].strip()) > 10
