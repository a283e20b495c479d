import pytest
from pydantic import ValidationError

from swarm.adapters.local.service.asking import Said, is_revision, revision_in
from swarm.adapters.local.service.errors import MetricsUnreadable
from swarm.adapters.local.service.scrape import look_from
from swarm.adapters.local.service.settings import ServiceSettings, fill
from swarm.testing.rollout_traffic import START

GOOD = {"name": "orders", "port": 8080, "run": ("serve", "--port", "{port}")}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"run": ()}, "at least 1", id="no-command"),
        pytest.param({"run": "serve --port 1"}, "valid tuple", id="a-shell-line"),
        pytest.param({"run": ("serve", "{prot}")}, "{prot} is not filled in", id="misspelt"),
        pytest.param({"run": ("serve", "")}, "empty", id="empty-part"),
        pytest.param({"env": {"SWARM_REVISION": "x"}}, "set by the controller", id="reserved"),
        pytest.param({"env": {"A B": "x"}}, "environment variable", id="no-name"),
        pytest.param({"port": 0}, "greater than or equal to 1", id="no-port"),
        pytest.param({"port": 70000}, "less than or equal to 65535", id="no-such-port"),
        pytest.param({"health_path": "healthz"}, "match pattern", id="relative-path"),
        pytest.param({"health_path": "/a b\r\nx"}, "match pattern", id="header-in-a-path"),
        pytest.param({"start_within": "0s"}, "100ms", id="no-time"),
        pytest.param({"prot": 1}, "Extra inputs", id="unknown-field"),
    ],
)
def test_a_target_that_cannot_work_is_refused_by_field(change, says):
    with pytest.raises(ValidationError) as caught:
        ServiceSettings(**{**GOOD, **change})
    assert says in str(caught.value)


def test_placeholders_are_filled_once_and_not_again():
    values = {"port": "81", "revision": "{port}", "checkout": "/x", "target": "t"}
    assert fill("{revision}:{port}", values) == "{port}:81"


@pytest.mark.parametrize(
    ("status", "body", "revision"),
    [
        (200, b"abc1234\n", "abc1234"),
        (200, b'{"revision": "abc1234", "up": 1}', "abc1234"),
        (200, b'{"version": "1"}', ""),
        (200, b"<html>hello there</html>", ""),
        (404, b"abc1234", ""),
        (200, b"", ""),
        pytest.param(200, b"[" * 100_000, "", id="nested-without-end"),
    ],
)
def test_the_revision_is_read_from_the_versions_own_answer(status, body, revision):
    assert revision_in(Said(status=status, headers={}, body=body)) == revision


@pytest.mark.parametrize(
    ("named", "same"),
    [("a" * 40, True), ("a" * 7, True), ("a" * 6, False), ("b" * 40, False), ("", False)],
)
def test_a_shortened_revision_is_the_same_from_seven_characters(named, same):
    assert is_revision(named, "a" * 40) is same


SCRAPE = """\
swarm_traffic_percent 10
swarm_proxy_info{epoch="one"} 1
swarm_arm_info{arm="stable",revision="old"} 1
swarm_arm_info{arm="canary",revision="new"} 1
swarm_requests_total{revision="old",outcome="ok"} 90
swarm_requests_total{revision="old",outcome="error"} 0
swarm_requests_total{revision="new",outcome="ok"} 9
swarm_requests_total{revision="new",outcome="error"} 1
"""


@pytest.mark.req("GATE-5")
@pytest.mark.parametrize(
    ("asked", "total"), [(None, 10), ("new", 10), ("another", None), ("old", None)]
)
def test_a_look_at_one_revision_counts_no_other_in_its_place(asked, total):
    look = look_from(SCRAPE, START, asked)
    assert getattr(look.canary, "total", None) == total
    assert look.stable.total == 90


@pytest.mark.req("GATE-5")
@pytest.mark.parametrize("text", ["", "<html>", "up 1\n", "swarm_traffic_percent nonsense\n"])
def test_a_scrape_that_is_not_the_proxys_is_no_look(text):
    with pytest.raises(MetricsUnreadable):
        look_from(text, START)
