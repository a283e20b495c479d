"""An installation file that is wrong is refused by the field, with what would be right."""

import pytest

from swarm.runtime.errors import BadSettings
from swarm.runtime.settings import FILE, load

pytestmark = pytest.mark.req("API-2")


def refused(folder, text):
    (folder / FILE).write_text(text)
    with pytest.raises(BadSettings) as caught:
        load(folder / FILE)
    return caught.value.message.splitlines()[1:]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            "[agnts]\nx = 1", "agnts: there is no such field; did you mean agents?", id="a-table"
        ),
        pytest.param(
            '[targets.t]\nprot = 1\nrun = ["x"]\nrepo = "r"',
            "targets.t.prot: there is no such field; did you mean port?",
            id="a-field-of-a-named-table",
        ),
        pytest.param(
            '[targets.t.prometheus]\nurll = "x"',
            "targets.t.prometheus.urll: there is no such field; did you mean url?",
            id="a-field-of-what-may-be-left-out",
        ),
        pytest.param(
            '[sources.s]\nkind = "command"\nrun = ["x"]\nevry = "1m"',
            "sources.s.command.evry: there is no such field; did you mean every?",
            id="a-field-of-one-kind",
        ),
        pytest.param(
            "[[risk.rules]]\nrisk_ = 1",
            "risk.rules.0.risk_: there is no such field; did you mean risk?",
            id="a-field-in-a-list",
        ),
        pytest.param(
            '[sources.s]\nkind = "comand"',
            "sources.s: there is no kind 'comand'; did you mean command?",
            id="a-kind",
        ),
        pytest.param("[agents.a]", "agents.a.run: it is missing; write it", id="missing"),
        pytest.param("[loop]\nxyzzy = 1", "loop.xyzzy: there is no such field; known", id="other"),
    ],
)
def test_a_wrong_field_is_named_with_the_one_that_was_meant(tmp_path, text, says):
    assert [line for line in refused(tmp_path, text) if line.strip().startswith(says)]


def test_the_fields_of_another_kind_of_source_are_not_offered(tmp_path):
    (line,) = refused(tmp_path, '[sources.s]\nkind = "command"\nrun = ["x"]\nurl = "x"')
    known = line.partition("known are ")[2].split(", ")
    assert {"run", "workdir"} < set(known)
    assert "url" not in known
