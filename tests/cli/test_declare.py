"""Declaring a Swarm: apply, diff, validate, delete; and reading it back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml


@pytest.mark.req("API-2")
def test_a_manifest_is_created_then_unchanged_then_configured(place):
    first = place.apply()
    assert (
        first.out == "swarm/shop created (assisted, 0 sources, 1 repository, 1 check, 0 targets)\n"
    )
    assert "swarm/shop unchanged" in place.apply().out
    assert "swarm/shop configured" in place.apply(mode="lights-out").out


def test_lights_out_warns_of_what_may_run_unattended(place):
    nothing = place.apply(mode="lights-out", discovery={"sources": []}, delivery={})
    assert [line.split(" is empty: ")[0] for line in nothing.err.splitlines()[-4:]] == [
        f"warning: swarm/shop: spec.{field}"
        for field in (
            "discovery.sources",
            "delivery.repoAllowlist",
            "delivery.requiredChecks",
            "delivery.deploymentTargets",
        )
    ]
    delivery = {"repoAllowlist": ["acme/shop"], "requiredChecks": ["lint"]}
    bare = place.apply(mode="lights-out", delivery=delivery)
    assert "warning: swarm/shop: spec.discovery.sources is empty: nothing is found" in bare.err
    assert "spec.delivery.deploymentTargets is empty: nothing is watched" in bare.err
    assert "R2 can run unattended" not in bare.err
    whole = place.apply(mode="lights-out", delivery=delivery | {"deploymentTargets": ["shop"]})
    assert "warning: swarm/shop: R2 can run unattended" in whole.err
    assert "deploymentTargets" not in whole.err


def test_diff_exits_by_whether_something_would_change(place):
    new = place("diff", "-f", "-", given=place.manifest())
    assert new.code == 1
    assert "+++ file/shop" in new.out
    place.apply()
    assert place("diff", "-f", "-", given=place.manifest()).code == 0
    changed = place("diff", "-f", "-", given=place.manifest(mode="lights-out"))
    assert changed.code == 1
    assert "-mode: assisted" in changed.out
    assert "+mode: lights-out" in changed.out
    assert (
        place(
            "diff",
            "-f",
            "-",
            given=place.manifest(),
        ).out
        == ""
    )


@pytest.mark.parametrize("end", ["/dev/zero", "-"])
def test_a_text_without_end_is_refused_where_it_is_too_long(end):
    code = (
        "import resource, sys; from swarm.cli.app import run; "
        "resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30)); sys.exit(run(sys.argv[1:]))"
    )
    with Path("/dev/zero").open("rb") as endless:
        said = subprocess.run(
            [sys.executable, "-c", code, "validate", "-f", end],
            stdin=endless, capture_output=True, text=True, timeout=30,
        )  # fmt: skip
    assert said.returncode == 1
    assert "it has more than 1,048,576 bytes" in said.stderr


def test_a_dry_run_changes_nothing(place):
    said = place("apply", "-f", "-", "--dry-run", given=place.manifest())
    assert said.code == 0
    assert "+mode: assisted" in said.out
    assert not place("get", "swarms", "-o", "json").json["items"]


@pytest.mark.req("API-10")
@pytest.mark.parametrize("verb", ["apply", "diff", "validate"])
def test_an_unknown_field_is_refused_with_what_was_meant(place, verb):
    said = place(verb, "-f", "-", given=place.manifest(objectivs=["x"]))
    assert said.code == 1
    assert "spec.objectivs" in said.err
    assert "objectives" in said.err
    assert said.out == ""


@pytest.mark.req("API-5")
def test_every_problem_is_listed_at_once(place):
    said = place("validate", "-f", "-", given=place.manifest(mode="wild", domains=[]))
    assert "spec.mode" in said.err
    assert "spec.domains" in said.err


@pytest.mark.parametrize("verb", ["apply", "diff", "validate"])
def test_a_file_that_is_not_there_is_named(place, verb):
    said = place(verb, "-f", "/nonexistent/swarm.yaml")
    assert said.code == 1
    assert "/nonexistent/swarm.yaml: No such file" in said.err


@pytest.mark.req("API-2")
def test_what_get_prints_can_be_applied(shop):
    """`get -o yaml` is the API object: status and server fields are left out by the reader."""
    text = shop("get", "swarm", "shop", "-o", "yaml").out
    assert yaml.safe_load(text)["kind"] == "Swarm"
    assert yaml.safe_load(text)["metadata"]["name"] == "shop"
    assert "unchanged" in shop("apply", "-f", "-", given=text).out
    for form in ("yaml", "json", "jsonl"):
        text = shop("get", "swarms", "-o", form).out
        assert "unchanged" in shop("apply", "-f", "-", given=text).out, form


@pytest.mark.slow
def test_delete_stops_a_swarm_and_keeps_its_history(shop):
    with shop.working():
        shop.need("drop an unused import")
        shop.wait_for("missions", lambda row: row["outcome"] == "delivered")
    said = shop("delete", "swarm", "shop", "--reason", "we move")
    assert said.code == 0
    assert "swarm/shop deleted" in said.out
    assert not shop("get", "swarms", "-o", "json").json["items"]
    assert shop("get", "missions", "-o", "json").json["items"]
    unknown = shop("delete", "swarm", "nope")
    assert unknown.code == 5
    assert "no swarm default/nope" in unknown.err
    assert shop("delete", "mission", "m-1").code == 2
    assert "swarm/shop created" in shop.apply().out
    assert "swarm/shop unchanged" in shop.apply().out


def test_explain_tells_where_each_value_comes_from(place):
    said = place("explain", "-f", "-", "-o", "json", given=place.manifest())
    rows = {row["name"]: row for row in said.json["items"]}
    assert rows["spec.mode"]["origin"] != rows["spec.cadence.discoverEvery"]["origin"]
    assert rows["spec.cadence.discoverEvery"]["value"] == "5m"


def test_the_crd_is_printed_as_yaml(verb):
    assert yaml.safe_load(verb("crd").out)["kind"] == "CustomResourceDefinition"


@pytest.mark.slow
@pytest.mark.req("LOOP-4")
def test_a_need_is_added_shown_explained_rejected_and_reopened(shop):
    need = shop.need("drop the old TLS")
    rows = shop("get", "needs", "-o", "json").json["items"]
    assert [(row["id"], row["state"]) for row in rows] == [(need, "open")]
    told = shop("why", need).out
    for term in ("value", "confidence", "pheromone", "cost", "risk", "waiting", "learned"):
        assert f"  {term} " in told
    assert "rank:        1 of 1 open needs" in told
    assert shop("need", "reject", need[:10], "--reason", "works as intended").code == 0
    assert shop("get", "needs", "--state", "rejected", "-o", "name").out == f"need/{need}\n"
    assert "works as intended" in shop("describe", "need", need).out
    assert shop("need", "reject", need, "--reason", "again").code == 7
    assert shop("need", "reopen", need, "--reason", "it is real").code == 0
    assert shop("get", "needs", "--state", "open", "-o", "name").out == f"need/{need}\n"


def test_saying_the_same_again_changes_nothing(shop):
    shop.need("drop the old TLS")
    words = ("need", "add", "drop the old TLS", "--repo", "acme/shop", "--cite")
    first = shop(*words, "https://example.org/a")
    assert "it joined" in first.out
    assert "nothing new" in shop(*words, "https://example.org/a").out


@pytest.mark.req("LOOP-3")
def test_a_person_is_one_origin_and_each_cited_site_one_more(shop):
    cites = ["a.py:1", "b.py:2", "https://example.org/x", "https://www.example.org/y"]
    words = [word for cite in cites for word in ("--cite", cite)]
    need = shop("need", "add", "mend it", "--repo", "acme/shop", *words).lines[0]
    assert shop("get", "need", need, "-o", "json").json["citations"] == 2


def test_the_only_repository_need_not_be_named_and_only_the_need_is_data(shop):
    said = shop("need", "add", "mend it", "--cite", "a.py:1")
    (need,) = said.lines
    assert shop("get", "need", need, "-o", "json").json["repo"] == "acme/shop"
    assert "next: `swarmctl get needs`" in said.err


@pytest.mark.parametrize("allowed", [[], ["acme/shop", "acme/docs"]])
def test_with_none_or_several_the_repository_must_be_named(shop, allowed):
    shop.home.manifest.write_text(shop.manifest(delivery={"repoAllowlist": allowed}))
    assert shop("apply", "-f", str(shop.home.manifest)).code == 0
    said = shop("need", "add", "mend it", "--cite", "a.py:1")
    assert said.code == 2
    assert f"repoAllowlist names {', '.join(allowed) or 'none'}" in said.err


def test_a_repository_that_is_not_allowed_is_warned_of(shop):
    said = shop("need", "add", "mend it", "--repo", "acme/other", "--cite", "a.py:1")
    assert said.code == 0
    assert "not in repoAllowlist" in said.err


def test_paths_are_kept_as_every_source_writes_them(shop):
    """`./src/` and `src/a.py` were no overlap, so two missions wrote to the same file at once."""
    need = shop.need("mend it", "--path", "./src/", "--path", "src", "--path", "docs//a.md")
    assert shop("get", "need", need, "-o", "json").json["paths"] == ["docs/a.md", "src"]


@pytest.mark.slow
def test_the_order_of_two_needs_and_what_would_turn_it_are_told(shop):
    low = shop.need("sweep the yard of old scripts", "--value", "1")
    high = shop.need("replace the broken cipher suite", "--value", "8")
    told = shop("why", low).out
    assert "rank:        2 of 2 open needs" in told
    assert f"behind     {high[:10]}" in told
    assert "with a value above" in told
    assert f"ahead of   {low[:10]}" in shop("why", high).out
