"""A path of swarm.toml means one place, whichever command reads it and from whichever folder."""

import os
import types
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

from swarm.core.policy.intake import TouchedPath, judge
from swarm.runtime.errors import BadSettings
from swarm.runtime.settings import Settings, load
from swarm.runtime.trading.settings import read_alone

TABLES = """\
[repositories."acme/shop"]
path = "{path}"

[checks.unit]
run = ["true"]
path = ["{path}"]
writable = ["{path}"]

[agents.tidy]
run = ["true"]
path = ["{path}"]
writable = ["{path}"]

[targets.shop]
repo = "acme/shop"
run = ["true"]
port = 8080

[targets.shop.prometheus]
url = "http://127.0.0.1:9090"
total = 'sum(a{{revision="{{revision}}"}})'
bad = 'sum(b{{revision="{{revision}}"}})'
token_file = "{path}"

[sources.lint]
kind = "command"
run = ["true"]
workdir = "{path}"

[sources.tests]
kind = "junit"
files = ["*.xml"]
workdir = "{path}"

[sources.news]
kind = "feed"
url = "https://example.org/feed"
ca_file = "{path}"

[attestations."acme/shop"]
allowed_signers = "{path}"
revoked_signers = "{path}"

[attestations."acme/shop".provenance]
envelope = "{path}"
build_types = ["https://example.org/build"]
source = "https://example.org/shop"
keys = ["{path}"]
revoked_keys = ["{path}"]
builders = ["https://example.org/builder"]

[seals]
keys = ["{path}"]

[trading]
capital = "1000000"

[trading.people.tom]
roles = ["trader"]
keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDhbCgGUbSN0A1fxGRLCyYJPoLbLhpWcaIzyQmT1vVXX"]

[trading.venues.paper]
socket = "{path}"
"""


def written(folder, path):
    file = folder / "swarm.toml"
    file.write_text(TABLES.format(path=path))
    return file


def paths_of(value):
    """Every path that is set, by the name of its field."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            for place, path in paths_of(getattr(value, name)):
                yield ((name, *place), path)
    elif isinstance(value, dict):
        for name, one in value.items():
            for place, path in paths_of(one):
                yield ((name, *place), path)
    elif isinstance(value, tuple):
        for one in value:
            yield from paths_of(one)
    elif isinstance(value, Path):
        yield ((), value)


def fields_of(kind, seen=()):
    """Names of the settings types and fields that hold a path, from the types alone."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind in seen:
            return
        for name, field in kind.model_fields.items():
            for found in fields_of(field.annotation, (*seen, kind)):
                yield found or (kind.__name__, name)
    elif isinstance(kind, type) and issubclass(kind, Path):
        yield None
    elif typing.get_origin(kind) is not None or isinstance(kind, types.UnionType):
        for one in typing.get_args(kind):
            yield from fields_of(one, seen)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("keys/{commit}", "{folder}/keys/{{commit}}"),
        ("./{commit}", "{folder}/{{commit}}"),
        ("../{commit}", "{folder}/../{{commit}}"),
        ("~/{commit}", "{home}/{{commit}}"),
        ("/srv/{commit}", "/srv/{{commit}}"),
    ],
)
def test_every_path_begins_at_the_file_and_not_where_a_command_runs(
    tmp_path, monkeypatch, said, meant
):
    folder, elsewhere, home = (tmp_path / name for name in ("site", "elsewhere", "home"))
    for one in (folder, elsewhere, home):
        one.mkdir()
    monkeypatch.setenv("HOME", str(home))
    file = written(folder, said)
    wanted = Path(meant.format(folder=folder, home=home))
    for where, name in ((folder, "swarm.toml"), (elsewhere, file), (tmp_path, "site/swarm.toml")):
        monkeypatch.chdir(where)
        found = list(paths_of(load(Path(name))))
        wrong = [place for place, path in found if path != wanted]
        assert not wrong
        trading = read_alone(Path(name))
        assert [path for _, path in paths_of(trading)] == [wanted]


def test_the_table_above_names_every_path_that_swarm_toml_can_hold(tmp_path):
    set_here = {place[-1] for place, _ in paths_of(load(written(tmp_path, "{commit}")))}
    assert {name for _, name in fields_of(Settings)} == set_here


def test_a_path_of_the_environment_begins_at_the_file_too(tmp_path, monkeypatch):
    file = written(tmp_path, "{commit}")
    monkeypatch.setenv("SWARM_REPOSITORIES__acme/shop__PATH", "two")
    monkeypatch.chdir(os.sep)
    assert load(file).repositories["acme/shop"].path == tmp_path / "two"


def test_result_files_without_a_folder_begin_at_the_file(tmp_path, monkeypatch):
    file = tmp_path / "swarm.toml"
    file.write_text('[sources.tests]\nkind = "junit"\nfiles = ["out/*.xml"]\n')
    monkeypatch.chdir(os.sep)
    assert load(file).sources["tests"].workdir == tmp_path


def test_the_home_of_nobody_is_told(tmp_path):
    file = written(tmp_path, "~nobody-of-this-name/{commit}")
    for read in (load, read_alone):
        with pytest.raises(BadSettings, match="nobody-of-this-name"):
            read(file)


@pytest.mark.req("GATE-2")
def test_a_repository_guards_what_its_checks_are_defined_by(tmp_path):
    """An agent that may change `make test` says itself what is green."""
    file = tmp_path / "swarm.toml"
    file.write_text(
        f'[repositories."acme/shop"]\npath = "{tmp_path}"\nintake.guards = ["gates/**"]\n'
        '[checks.tests]\nrun = ["make", "test"]\n[checks.more]\nrun = ["./ci.sh"]\n'
    )
    rules = load(file).guarded_repositories()["acme/shop"].intake.rules(())
    for path, glob in (("Makefile", "makefile"), ("ci.sh", "ci.sh"), ("gates/a", "gates/**")):
        change = TouchedPath(path=path, old_mode=0o100644, new_mode=0o100644)
        told = [str(violation) for violation in judge((change,), rules)]
        assert told == [f"GuardedPath: {path}: changes a gate of this repository ({glob})"]
