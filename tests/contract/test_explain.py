"""The defaulted object with the origin of each value, and the help on single fields."""

import pytest

from swarm.contract.defaults import Origin, defaulted_spec, explained, field_help
from swarm.contract.errors import UnknownField
from swarm.contract.metadata import ObjectMeta
from swarm.contract.swarm import Owner, SwarmObject, SwarmSpec
from swarm.contract.validate import check_swarm, load_swarms

PROFILE = "swarm.proompteng.ai/profile"


def rows(swarm):
    return {path: (value, origin) for path, value, origin in explained(swarm)}


@pytest.mark.req("API-2")
def test_each_value_says_who_gave_it(good):
    good["spec"]["cadence"] = {"planEvery": "90s", "verifyEvery": None}
    good["spec"]["delivery"] = {"rollout": {"steps": [{"setWeight": 100, "pause": "1m"}]}}
    found = rows(check_swarm(good))
    assert found["spec.cadence.planEvery"] == ("90s", Origin.WRITTEN)
    assert found["spec.cadence.verifyEvery"] == ("5m", Origin.DEFAULT)
    assert found["spec.risk.freezeDuration"] == ("60m", Origin.DEFAULT)
    assert found["spec.domains"] == (["platform-reliability"], Origin.WRITTEN)
    assert found["spec.delivery.rollout.steps[0].setWeight"] == (100, Origin.WRITTEN)
    assert found["spec.delivery.rollout.strategy"] == ("canary", Origin.DEFAULT)
    assert found["spec.delivery.repoAllowlist"] == ([], Origin.DEFAULT)


def test_a_profile_fills_gaps_and_says_so(good):
    good["metadata"]["annotations"] = {PROFILE: "quant"}
    good["spec"]["cadence"] = {"planEvery": "2m"}
    swarm = check_swarm(good)
    found = rows(swarm)
    assert found["spec.cadence.discoverEvery"] == ("1m", Origin.PROFILE)
    assert found["spec.cadence.planEvery"] == ("2m", Origin.WRITTEN)
    assert found["spec.risk.freezeAfterFailures"] == (2, Origin.PROFILE)
    assert found["spec.risk.freezeDuration"] == ("60m", Origin.DEFAULT)
    assert swarm.spec.risk.freeze_after_failures == 2


@pytest.mark.parametrize("name", ["torghut-quant", "existing-chart"])
def test_what_is_explained_is_what_the_controller_works_with(manifest, name):
    (swarm,) = load_swarms(manifest(name), source=name)
    again = SwarmSpec.model_validate(defaulted_spec(swarm), by_alias=True, by_name=False)
    assert again == swarm.spec


def test_an_object_made_in_python_is_explained_as_well():
    swarm = SwarmObject(
        api_version="swarm.proompteng.ai/v1alpha1",
        kind="Swarm",
        metadata=ObjectMeta(name="a", annotations={PROFILE: "quant"}),
        spec=SwarmSpec(
            owner=Owner(id="me", channel="log"), domains=("d",), objectives=("o",), mode="assisted"
        ),
    )
    found = rows(swarm)
    assert found["spec.owner.id"] == ("me", Origin.WRITTEN)
    assert found["spec.cadence.discoverEvery"] == ("5m", Origin.DEFAULT)


@pytest.mark.parametrize(
    ("path", "kind", "default", "required"),
    [
        ("spec", "block", None, True),
        ("spec.mode", "choice", None, True),
        ("spec.cadence.discoverEvery", "duration", "5m", False),
        ("spec.risk.freezeDuration", "duration", "60m", False),
        ("spec.discovery.minConfidence", "number", 0.75, False),
        ("spec.domains", "list of texts", None, True),
        ("spec.discovery.sources", "list of blocks", [], False),
        ("spec.delivery.rollout.steps[1].setWeight", "integer", None, True),
        ("spec.delivery.rollout.steps[].pause", "duration", None, True),
        ("spec.execution.plan.enabled", "true or false", True, False),
        ("metadata.name", "text", None, True),
        ("metadata.labels", "map of texts", {}, False),
        ("status.phase", "choice", None, False),
        ("status.freeze.until", "date-time", None, False),
    ],
)
def test_help_on_a_field_says_type_default_and_need(path, kind, default, required):
    shown = field_help(path)
    assert (shown.type, shown.default, shown.required) == (kind, default, required)
    assert shown.description.endswith(".")


def test_help_names_bounds_choices_example_and_children():
    cadence = field_help("spec.cadence")
    assert [name for name, _, _ in cadence.children] == [
        *("discoverEvery", "planEvery", "implementEvery", "verifyEvery")
    ]
    assert cadence.children[0][1:] == ("duration", "Pause between two readings of the same source")
    assert field_help("spec.mode").choices == ("assisted", "lights-out")
    steps = field_help("spec.delivery.rollout.steps")
    assert [name for name, _, _ in steps.children] == ["setWeight", "pause"]
    assert "the last step must have setWeight: 100" in steps.bounds
    weight = field_help("spec.delivery.rollout.steps[0].setWeight")
    assert weight.bounds == ("at least 1", "at most 100")
    assert weight.path == "spec.delivery.rollout.steps[].setWeight"
    assert field_help("spec.delivery.repoAllowlist").example == ["acme/shop"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "begin with spec"),
        ("spec.cadance", "did you mean spec.cadence"),
        ("spec.cadence.discover_every", "did you mean spec.cadence.discoverEvery"),
        ("spec.cadence.planEvery.x", "has no field 'x'; it has no fields"),
        ("zzz", "known are apiVersion, kind, metadata, spec, status"),
        ("spec.delivery.rollout.steps[0].weight", "did you mean spec.delivery.rollout.steps"),
    ],
)
def test_a_field_that_is_not_there_is_refused_with_the_nearest(path, message):
    with pytest.raises(UnknownField) as refusal:
        field_help(path)
    assert message in str(refusal.value)
