"""The CRD and the types give the same verdict on the same object.

The CRD is judged by a model of the API server (see conftest), whose CEL rules run in an
independent CEL evaluator. No test asks a real API server (VAL-1): what only that knows (CEL cost
limits, acceptance of the CRD itself) is not proven here.
"""

import copy
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from swarm.contract.defaults import defaulted_spec
from swarm.contract.errors import InvalidSwarm
from swarm.contract.validate import check_swarm

pytestmark = pytest.mark.req("API-5")

DATA = Path(__file__).parent / "data"
WHOLE = yaml.safe_load((DATA / "existing-chart.yaml").read_text("utf-8"))

# Every value stands next to a bound of some field, or has a kind that some field must refuse.
ODD = [
    *(None, True, False, [], {}, 0, 1, -1, 2.0, 2.5, 0.75, -0.0, 100, 101, 10**20, 1e300),
    *(
        "",
        " ",
        "a",
        " a",
        "a ",
        "a\n",
        "a\nb",
        "\x00",
        "\x7f",
        "\u00a0",
        "é",
        "a b",
        "A",
        "-a",
        "a-",
    ),
    *("a.b", "a/b", "acme/*", "Europe/Paris", "x" * 63, "x" * 64, "x" * 65, "x" * 253, "x" * 254),
    *("x" * 256, "x" * 257, "x" * 1024, "x" * 1025, "é" * 256, "x" * 2048, "x" * 2049),
    *("assisted", "lights-out", "merge-queue", "auto-merge", "canary", "AgentRun", "Assisted"),
    *("5m", "1s", "999ms", "0m", "0s", "0.9999999999s", "1.0s", "8760h", "8760h1ms", "999999h"),
    *("8760h0.000001ms", "2562048h", "5", "-5m", "1d", "5 m", "5m\n", "1h30", "9" * 31 + "s"),
    *(
        ["a"],
        ["a", "a"],
        ["a", None],
        ["a", 1],
        [[]],
        [{}],
        ["x" * 257],
        ["acme/shop", "acme/shop"],
    ),
    *([f"d{n}" for n in range(64)], [f"d{n}" for n in range(65)], [f"r{n}" for n in range(257)]),
    *(
        [{"name": "a"}],
        [{"name": "a"}, {"name": "a"}],
        [{"name": "a", "kind": None}],
        [{"kind": "a"}],
    ),
    *(
        {"name": "a"},
        {"kind": "AgentRun", "name": "a"},
        {"targetRef": {"kind": "Job", "name": "a"}},
    ),
]
WEIGHTS = [[100], [10, 30, 100], [30, 10, 100], [100, 100], [10, 50], [0, 100], [101], [1.0, 100]]
ODD += [[{"setWeight": weight, "pause": "1m"} for weight in weights] for weights in WEIGHTS]
ODD += [[{"setWeight": n, "pause": "0m"} for n in range(first, 101)] for first in (80, 81)]
ODD += [
    [{"setWeight": 100}],
    [{"setWeight": 100, "pause": "-1m"}],
    [{"setWeight": 100, "pause": 5}],
]


def places(tree, path=()):
    """Every path of the object's spec, blocks and lists and their entries included."""
    if path:
        yield path
    if isinstance(tree, dict):
        for name, part in tree.items():
            yield from places(part, (*path, name))
    elif isinstance(tree, list):
        for position, part in enumerate(tree):
            yield from places(part, (*path, position))


PLACES = list(places(WHOLE["spec"]))


def with_values(changes):
    """The whole object with each value in its place; a place that is gone by then stays gone."""
    made = copy.deepcopy(WHOLE)
    for path, value in changes:
        tree = made["spec"]
        try:
            for part in path[:-1]:
                tree = tree[part]
            if isinstance(tree, dict | list):
                tree[path[-1]] = copy.deepcopy(value)
        except (KeyError, IndexError, TypeError):
            continue
    return made


def verdict_of_the_types(written):
    """Every problem but unknown fields: those are refused here and pruned by a server (API-10)."""
    try:
        check_swarm(copy.deepcopy(written))
    except InvalidSwarm as refusal:
        unknown = "there is no such field"
        return [str(problem) for problem in refusal.problems if problem.wrong != unknown]
    return []


@pytest.mark.parametrize(
    "stride", [29, pytest.param(1, marks=pytest.mark.slow)], ids=["one-in-29", "every-one"]
)
def test_every_odd_value_in_every_place_gets_one_verdict(server, stride):
    """The fast form takes one value in 29, beginning elsewhere at each place."""
    accepted = refused = 0
    for number, path in enumerate(PLACES):
        for value in ODD[number % stride :: stride]:
            written = with_values([(path, value)])
            ours, theirs = verdict_of_the_types(written), server.admit(written)
            assert bool(ours) == bool(theirs), (path, value, ours, theirs)
            accepted, refused = accepted + (not ours), refused + bool(ours)
    assert accepted > 1000 / stride
    assert refused > 3000 / stride


TEXTS = st.text(max_size=6) | st.text(alphabet="0123456789.hms", max_size=8)
CHANGES = st.lists(
    st.tuples(st.sampled_from(PLACES), st.sampled_from(ODD) | TEXTS | st.integers()), max_size=3
)


@settings(
    max_examples=4 * settings.default.max_examples,
    suppress_health_check=[HealthCheck.too_slow],
    deadline=None,
)
@given(CHANGES.map(lambda changes: sorted(changes, key=lambda change: len(change[0]))))
def test_random_objects_get_one_verdict(server, changes):
    written = with_values(changes)
    ours, theirs = verdict_of_the_types(written), server.admit(written)
    event("accepted" if not ours else "refused")
    assert bool(ours) == bool(theirs), (ours, theirs)


@pytest.mark.parametrize(
    "name", ["generic-template", "jangar-control-plane", "torghut-quant", "existing-chart"]
)
def test_the_server_accepts_and_fills_in_what_the_types_accept_and_fill_in(server, manifest, name):
    """Defaults are held in two places as well: both give the same object."""
    written = yaml.safe_load(manifest(name))
    assert server.admit(written) == []
    swarm = check_swarm(written)
    stored = server.defaulted(written)
    assert stored["spec"] == defaulted_spec(swarm)
    assert check_swarm(stored).spec == swarm.spec


@settings(max_examples=2 * settings.default.max_examples)
@given(st.sets(st.sampled_from(PLACES), max_size=12))
def test_whatever_is_left_out_is_filled_in_alike(server, gone):
    written = copy.deepcopy(WHOLE)
    for path in sorted(gone, key=len, reverse=True):
        tree = written["spec"]
        for part in path[:-1]:
            tree = tree[part]
        if isinstance(tree, dict):
            tree.pop(path[-1], None)
    reasons = verdict_of_the_types(written)
    assert bool(reasons) == bool(server.admit(written)), reasons
    if not reasons:
        swarm = check_swarm(written)
        stored = server.defaulted(written)["spec"]
        assert stored == defaulted_spec(swarm)
        assert type(swarm.spec).model_validate(stored, by_alias=True, by_name=False) == swarm.spec


TABLE = yaml.safe_load((DATA / "bad-objects.yaml").read_text("utf-8"))
OF_THE_SPEC = {name: row for name, row in TABLE.items() if row["at"].startswith("spec/")}


@pytest.mark.parametrize("row", OF_THE_SPEC.values(), ids=OF_THE_SPEC.keys())
def test_the_server_refuses_each_row_of_the_table_or_prunes_its_unknown_field(server, good, row):
    *parents, last = row["at"].split("/")
    tree = good
    for part in parents:
        tree = tree.setdefault(part, {})
    tree[last] = row.get("write")
    if row["wrong"].startswith("no such"):
        assert server.admit(good) == []
        assert last not in str(server.defaulted(good)["spec"].keys())
    else:
        assert server.admit(good)


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        *(("orders", True), ("a", True), ("0-a", True), ("a" * 52, True), ("a" * 53, False)),
        *(("a.b", False), ("A", False), ("-a", False), ("a-", False), ("a_b", False), ("", False)),
    ],
)
def test_a_name_gets_one_verdict(server, good, name, accepted):
    good["metadata"]["name"] = name
    assert (server.admit(good) == []) is accepted
    assert (verdict_of_the_types(good) == []) is accepted


@pytest.mark.parametrize(
    ("path", "value", "accepted"),
    [
        *((("cadence", "planEvery"), "1s", True), (("cadence", "planEvery"), "999ms", False)),
        *((("cadence", "planEvery"), "8760h", True), (("cadence", "planEvery"), "8760h1ms", False)),
        *((("risk", "freezeDuration"), "8760h", True), (("risk", "freezeDuration"), "0m", False)),
        *((("execution", "verify", "every"), "1s", True), (("timezone",), "x" * 65, False)),
        *((("discovery", "minCitations"), 100, True), (("discovery", "minCitations"), 101, False)),
        *((("discovery", "minConfidence"), 0, True), (("discovery", "minConfidence"), 1, True)),
        *(
            (("discovery", "minConfidence"), 1.001, False),
            (("risk", "budgetRef"), "x" * 254, False),
        ),
        *(
            (("risk", "freezeAfterFailures"), 1, True),
            (("risk", "freezeAfterFailures"), 101, False),
        ),
        *(
            (("domains",), [f"d{n}" for n in range(64)], True),
            (("objectives",), ["x" * 1024], True),
        ),
    ],
)
def test_next_to_each_bound_both_say_what_the_contract_says(server, path, value, accepted):
    written = with_values([(path, value)])
    assert (server.admit(written) == []) is accepted
    assert (verdict_of_the_types(written) == []) is accepted


@pytest.mark.req("API-4")
@pytest.mark.parametrize(
    ("weights", "accepted"),
    [
        *(([100], True), ([10, 30, 100], True), ([1, 100], True), ([99, 100], True)),
        *(([10, 99], False), ([99], False), ([1], False), ([50, 50, 100], False)),
        *(([30, 10, 100], False), ([100, 100], False), ([0, 100], False), ([10, 101], False)),
        *((list(range(81, 101)), True), (list(range(80, 101)), False), ([], False)),
        *(([*range(81, 99), 98, 100], False), ([*range(82, 101), 100], False)),
    ],
)
def test_weights_are_1_to_100_strictly_increasing_and_end_at_100(server, weights, accepted):
    steps = [{"setWeight": weight, "pause": "0m"} for weight in weights]
    written = with_values([(("delivery", "rollout", "steps"), steps)])
    assert (server.admit(written) == []) is accepted
    assert (verdict_of_the_types(written) == []) is accepted
