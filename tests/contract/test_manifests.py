"""The manifests that must be accepted as they stand, and what is filled in for them."""

from datetime import timedelta

import pytest

from swarm.contract.choices import MergePolicy, Mode, RolloutStrategy, RunKind
from swarm.contract.completeness import policy_gaps
from swarm.contract.defaults import defaulted_spec
from swarm.contract.validate import check_swarm, load_swarms

DOCUMENT = ("generic-template", "jangar-control-plane", "torghut-quant")


@pytest.mark.req("API-2")
@pytest.mark.parametrize("name", DOCUMENT)
def test_the_manifests_of_the_document_are_accepted_as_they_stand(manifest, name):
    (swarm,) = load_swarms(manifest(name), source=name)
    assert swarm.metadata.namespace == "agents"
    assert swarm.spec.mode is Mode.LIGHTS_OUT


@pytest.mark.req("API-3")
def test_everything_left_out_takes_the_defaults_of_the_document(good):
    spec = check_swarm(good).spec
    assert spec.cadence.discover_every == timedelta(minutes=5)
    assert spec.cadence.plan_every == timedelta(minutes=10)
    assert spec.cadence.implement_every == timedelta(minutes=10)
    assert spec.cadence.verify_every == timedelta(minutes=5)
    assert spec.discovery.min_citations == 2
    assert spec.discovery.min_confidence == 0.75
    assert spec.delivery.merge_policy is MergePolicy.AUTO_MERGE
    assert spec.delivery.rollout.strategy is RolloutStrategy.CANARY
    steps = [(step.set_weight, step.pause) for step in spec.delivery.rollout.steps]
    minute = timedelta(minutes=1)
    assert steps == [(10, 5 * minute), (30, 10 * minute), (100, 0 * minute)]
    assert spec.delivery.rollout.analysis_template_ref == "default-canary-analysis"
    assert spec.risk.budget_ref == "default-budget"
    assert spec.risk.approval_policy_ref == "default-approval"
    assert spec.risk.freeze_after_failures == 3
    assert spec.risk.freeze_duration == timedelta(minutes=60)


@pytest.mark.req("API-3")
def test_no_repository_may_be_changed_until_one_is_named(good):
    assert check_swarm(good).spec.delivery.repo_allowlist == ()


@pytest.mark.req("API-2")
@pytest.mark.parametrize(
    ("block", "filled"),
    [
        ({"cadence": {}}, ("cadence", "planEvery", "10m")),
        ({"cadence": {"discoverEvery": "1m"}}, ("cadence", "verifyEvery", "5m")),
        ({"discovery": {"minCitations": 1}}, ("discovery", "minConfidence", 0.75)),
        ({"delivery": {"mergePolicy": "merge-queue"}}, ("delivery", "repoAllowlist", [])),
        ({"risk": {"freezeAfterFailures": 2}}, ("risk", "freezeDuration", "60m")),
        ({"risk": None}, ("risk", "budgetRef", "default-budget")),
        ({"cadence": {"planEvery": None}}, ("cadence", "planEvery", "10m")),
        ({"discovery": {"sources": None}}, ("discovery", "sources", [])),
    ],
)
def test_a_block_written_in_part_is_filled_up(good, block, filled):
    """Null counts as left out, because the API server prunes it before it fills in defaults."""
    good["spec"] |= block
    parent, field, value = filled
    assert defaulted_spec(check_swarm(good))[parent][field] == value


def test_a_whole_number_may_be_written_with_a_point_as_json_allows(good):
    good["spec"]["discovery"] = {"minCitations": 3.0, "minConfidence": 1}
    spec = check_swarm(good).spec
    assert spec.discovery.min_citations == 3
    assert spec.discovery.min_confidence == 1.0


@pytest.mark.req("API-9")
def test_every_block_of_the_existing_chart_is_typed_and_kept(manifest):
    (swarm,) = load_swarms(manifest("existing-chart"), source="chart")
    spec = swarm.spec
    assert spec.timezone == "UTC"
    assert spec.discovery.sources[0].kind == "rss"
    assert spec.discovery.sources[0].url == "https://example.com/feed.xml"
    assert spec.integrations.nats.personas.deployer.worker_identity == "cleo-orders-deployer"
    assert spec.mission.value_gates == ("shipped_same_day_rate",)
    assert spec.execution.plan.enabled is False
    assert spec.execution.plan.target_ref is None
    assert spec.execution.implement.every == timedelta(minutes=45)
    assert spec.execution.implement.target_ref.kind is RunKind.ORCHESTRATION_RUN
    assert spec.execution.implement.target_ref.namespace == "builders"
    assert spec.execution.discover.target_ref.name == "orders-discover-template"


@pytest.mark.req("API-9")
@pytest.mark.parametrize("name", [*DOCUMENT, "existing-chart"])
def test_nothing_that_was_written_is_lost(manifest, name):
    """The defaulted object contains the written one, word for word."""
    (swarm,) = load_swarms(manifest(name), source=name)
    assert _contains(defaulted_spec(swarm), swarm.written_spec)
    assert _contains(check_swarm(_outside(swarm)).spec.model_dump(), swarm.spec.model_dump())


def _outside(swarm):
    return swarm.model_dump(mode="json", by_alias=True, exclude_none=True)


def _contains(whole, part):
    if isinstance(part, dict):
        return all(name in whole and _contains(whole[name], below) for name, below in part.items())
    if isinstance(part, list | tuple):
        return len(whole) == len(part) and all(map(_contains, whole, part))
    return whole == part


def test_what_the_api_server_adds_to_an_object_can_be_read_back(good):
    good["metadata"] |= {
        "uid": "0e1b9c5e-1111-2222-3333-444455556666",
        "generation": 4,
        "resourceVersion": "81",
        "creationTimestamp": "2026-03-01T12:00:00Z",
        "managedFields": [{"manager": "kubectl"}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}\n"},
    }
    good["status"] = {"phase": "Idle", "stageStates": {"anything": [1, 2]}}
    swarm = check_swarm(good)
    assert swarm.metadata.uid == "0e1b9c5e-1111-2222-3333-444455556666"
    assert swarm.metadata.generation == 4


def test_the_namespace_is_default_when_none_is_written(good):
    assert check_swarm(good).metadata.namespace == "default"


def test_what_lights_out_lacks_is_named_and_not_refused(manifest):
    """The document's own instances leave these out; a condition says so, not an error."""
    (quant,) = load_swarms(manifest("torghut-quant"), source="x")
    assert policy_gaps(quant.spec) == (
        "spec.discovery.sources",
        "spec.delivery.repoAllowlist",
        "spec.delivery.requiredChecks",
    )
    (template,) = load_swarms(manifest("generic-template"), source="x")
    assert policy_gaps(template.spec) == ()


def test_an_assisted_swarm_lacks_nothing(good):
    assert policy_gaps(check_swarm(good).spec) == ()


def test_a_spec_cannot_be_changed_and_serves_as_a_key(good):
    spec = check_swarm(good).spec
    with pytest.raises(ValueError, match="frozen"):
        spec.mode = Mode.LIGHTS_OUT
    assert {spec: 1}[check_swarm(good).spec] == 1


def test_python_names_are_for_python_and_not_for_manifests(good):
    """An API server would prune `min_citations`; accepting it here would be a trap."""
    good["spec"]["discovery"] = {"min_citations": 5}
    with pytest.raises(Exception, match="did you mean minCitations"):
        check_swarm(good)
