"""The two profiles of the document, and which one a Swarm has."""

from datetime import timedelta

import pytest

from swarm.contract.errors import UnknownProfile
from swarm.contract.profiles import Thresholds, profile, profile_names, profile_of
from swarm.contract.validate import check_swarm, load_swarms
from swarm.runtime.policy_settings import CanarySettings

ANNOTATION = "swarm.proompteng.ai/profile"


def with_profile(good, name):
    good["metadata"]["annotations"] = {ANNOTATION: name}
    return check_swarm(good)


def test_there_are_the_two_profiles_of_the_document():
    assert profile_names() == ("control-plane", "quant")


@pytest.mark.req("GATE-5")
def test_the_control_plane_has_the_cadences_and_thresholds_of_the_document(good):
    cadence = with_profile(good, "control-plane").spec.cadence
    minutes = [
        span / timedelta(minutes=1)
        for span in (
            *(cadence.discover_every, cadence.plan_every),
            *(cadence.implement_every, cadence.verify_every),
        )
    ]
    assert minutes == [5, 10, 10, 5]
    assert profile("control-plane").thresholds == Thresholds()
    canary = CanarySettings().thresholds()
    assert (canary.error_increase, canary.p95_increase) == (0.20, 0.15)


@pytest.mark.req("FRZ-5")
def test_the_quant_profile_has_the_cadences_and_thresholds_of_the_document(good):
    spec = with_profile(good, "quant").spec
    cadence = spec.cadence
    assert cadence.discover_every == timedelta(minutes=1)
    assert cadence.plan_every == timedelta(minutes=5)
    assert cadence.implement_every == timedelta(minutes=15)
    assert cadence.verify_every == timedelta(minutes=1)
    assert spec.risk.freeze_after_failures == 2
    limits = profile("quant").thresholds
    assert limits.intraday_drawdown == -0.015
    assert limits.policy_violations == 1
    assert limits.failed_missions == 2
    assert limits.resume_window_required is True


def held_to(swarm):
    return profile_of(swarm.spec.domains, swarm.metadata.annotations).name


@pytest.mark.req("FRZ-5")
def test_the_documents_quant_instance_is_held_to_the_quant_thresholds(manifest):
    found = {}
    for name in ("torghut-quant", "jangar-control-plane", "generic-template"):
        (swarm,) = load_swarms(manifest(name), source=name)
        found[name] = held_to(swarm)
    assert found == {
        "torghut-quant": "quant",
        "jangar-control-plane": "control-plane",
        "generic-template": "control-plane",
    }


def test_a_domain_brings_thresholds_and_never_values_of_the_spec(good):
    """A word among the domains must not change a cadence that an API server would set otherwise."""
    good["spec"]["domains"] = ["quant-research"]
    swarm = check_swarm(good)
    assert held_to(swarm) == "quant"
    assert swarm.spec.cadence.discover_every == timedelta(minutes=5)
    assert swarm.spec.risk.freeze_after_failures == 3


def test_the_annotation_wins_over_the_domain(good):
    good["spec"]["domains"] = ["quant-research"]
    assert held_to(with_profile(good, "control-plane")) == "control-plane"


def test_a_profile_is_no_schema_constraint(good):
    """Every value of a profile may be written otherwise."""
    good["spec"]["cadence"] = {"discoverEvery": "7h"}
    good["spec"]["risk"] = {"freezeAfterFailures": 50}
    spec = with_profile(good, "quant").spec
    assert spec.cadence.discover_every == timedelta(hours=7)
    assert spec.risk.freeze_after_failures == 50


@pytest.mark.parametrize("name", ["control-plane", "quant"])
def test_what_a_profile_fills_in_is_valid(good, name):
    good["spec"] = good["spec"] | profile(name).spec
    check_swarm(good)


def test_a_profile_that_is_not_there_is_refused():
    with pytest.raises(UnknownProfile, match="known are control-plane, quant"):
        profile("lunar")
