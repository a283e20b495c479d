"""Doctor finds what was broken on purpose, and names what mends it."""

from __future__ import annotations

import json
import os
import subprocess
from types import SimpleNamespace

import pytest

from swarm.adapters.local.process.kernel import start_time
from swarm.cli.health_store import loop
from swarm.runtime.seat import taken


def git(folder, *words):
    identity = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
    subprocess.run(["git", "-C", folder, *identity, *words], check=True, capture_output=True)


@pytest.fixture
def sound(place, tmp_path):
    """An installation in which nothing is wrong but that no controller runs."""
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main")
    (repository / "a.py").write_text("x = 1\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "first")
    text = place.home.file.read_text()
    place.home.file.write_text(text.replace("/nonexistent/shop", str(repository)))
    place.home.manifest.write_text(place.manifest())
    place.repository = repository
    return place


def findings(place, *words):
    said = place("doctor", "-o", "json", *words)
    return said.code, said.json["findings"]


def faults(place, *words):
    code, found = findings(place, *words)
    bad = [f"{one['check']}: {one['message']}" for one in found if one["level"] == "fault"]
    assert bool(bad) == (code == 1)
    assert all(one["fix"] for one in found if one["level"] != "ok"), "a finding without a fix"
    return bad


def mend(place, before, after):
    text = place.home.file.read_text()
    assert before in text
    place.home.file.write_text(text.replace(before, after))


def test_a_relative_repository_begins_at_the_installation_file(sound, monkeypatch, tmp_path):
    whole = str(sound.repository)
    mend(sound, whole, os.path.relpath(whole, sound.home.file.parent))
    monkeypatch.chdir(tmp_path)
    assert faults(sound) == []


def test_a_sound_installation_has_no_fault(sound):
    code, found = findings(sound)
    assert code == 0, found
    looked = {one["check"] for one in found}
    assert {"python", "git", "ssh-keygen", "disk", "settings", "manifest", "names", "agent",
            "check", "repository", "database", "controller"} <= looked  # fmt: skip
    assert "0 faults" in sound("doctor").out


@pytest.mark.fast("check-not-bound", "budget-not-bound")
@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        pytest.param("[checks.lint]", "[checks.other]",
                     "names: shop: delivery.requiredChecks names 'lint'", id="check-not-bound"),
        pytest.param("[budgets.default-budget]", "[budgets.other]",
                     "names: shop: risk.budgetRef names 'default-budget'", id="budget-not-bound"),
        pytest.param("[budgets.default-budget]",
                     '[approvals.other]\napprovers = ["ann"]\n[budgets.default-budget]',
                     "policy: shop: default-approval: no such approval policy",
                     id="approval-policy-not-bound"),
        pytest.param('[repositories."acme/shop"]', '[repositories."acme/other"]',
                     "names: shop: delivery.repoAllowlist names 'acme/shop'", id="repo-not-bound"),
        pytest.param('[agents.tidy]\nrun = ["true"]', '[agents.tidy]\nrun = ["no-such-program"]',
                     "agent: tidy: 'no-such-program' is not a program", id="agent-not-installed"),
        pytest.param('[checks.lint]\nrun = ["true"]', '[checks.lint]\nrun = ["no-such-program"]',
                     "check: lint: 'no-such-program' is not a program", id="check-not-installed"),
        pytest.param('[agents.tidy]\nrun = ["true"]\n', "", "agents: no agent is bound",
                     id="no-agent"),
        pytest.param("[agents.tidy]", '[agents.tidy]\nenv = ["NOT_SET_API_KEY"]',
                     "agent: tidy: none of NOT_SET_API_KEY is set", id="key-not-set"),
        pytest.param("[loop]", "[lop]", "settings: ", id="unknown-table"),
    ],
)  # fmt: skip
def test_what_is_missing_in_the_installation_file_is_found(sound, before, after, named):
    mend(sound, before, after)
    found = faults(sound)
    assert [one for one in found if one.startswith(named)], found


def test_sources_and_targets_that_the_spec_names_must_be_bound(sound):
    delivery = {"repoAllowlist": ["acme/shop"], "requiredChecks": ["lint"],
                "deploymentTargets": ["orders"]}  # fmt: skip
    discovery = {"minCitations": 1, "sources": [{"name": "ruff"}]}
    sound.home.manifest.write_text(sound.manifest(delivery=delivery, discovery=discovery))
    found = faults(sound)
    assert any("discovery.sources names 'ruff'" in one for one in found)
    assert any("delivery.deploymentTargets names 'orders'" in one for one in found)


def test_a_controller_that_an_upgrade_left_at_work_is_a_note(sound):
    """What it imports only now comes from the new release, beside what it has of the old one."""
    sound.home.make()
    sound.home.write_note({"dsn": sound.dsn})
    newest = "version = (select max(version) from migration)"
    ((known,),) = sound.sql(f"delete from migration where {newest} returning version")
    code, found = findings(sound)
    assert code == 0
    (told,) = [one["message"] for one in found if f"schema {known - 1}, and" in one["message"]]
    assert told.endswith(f"this release has {known}: a controller of an older one is at work")


def test_the_place_of_an_embedded_database_is_told(sound, monkeypatch, tmp_path):
    """As root it lies elsewhere than in `.swarm`, and docs/KEEPING.md sends people here for it."""
    assert "Postgres" in sound("doctor", "-o", "wide").out
    assert ", in /" not in sound("doctor", "-o", "wide").out, "a DSN says it already"
    sound.home.make()
    me = os.getpid()
    sound.home.write_note({"dsn": sound.dsn, "pid": me, "started": start_time(me)})
    mend(sound, f"url = {json.dumps(sound.dsn)}", 'url = "embedded"')
    there = SimpleNamespace(cluster=tmp_path, data=tmp_path / "data-1")
    monkeypatch.setattr("swarm.adapters.postgres.layout.lay_out", lambda _asked: there)
    with taken(sound.home.state / "controller.lock", "c1"):
        told = sound("doctor", "-o", "wide").out
    (line,) = [one for one in told.splitlines() if one.startswith("ok     database")]
    assert line.endswith(f", in {there.data}")


def test_an_installation_file_that_its_controller_has_not_read_is_a_note(sound):
    """It is read once, when the controller begins: what is written later does nothing."""
    sound.home.make()
    me = os.getpid()
    sound.home.write_note({"dsn": sound.dsn, "pid": me, "started": start_time(me), "since": "x"})
    written = sound.home.note.stat().st_mtime
    for later, level in ((-1, "ok"), (1, "note")):
        os.utime(sound.home.file, (written + later, written + later))
        with taken(sound.home.state / "controller.lock", "c1"):
            (told,) = [one for one in findings(sound)[1] if one["check"] == "controller"]
        assert (told["level"], told["message"].endswith("as it was then")) == (level, later > 0)


def test_a_manifest_that_was_changed_and_not_applied_is_a_note(sound):
    sound.home.manifest.write_text(sound.manifest())
    sound.apply()
    here = "the manifest says something else than what is applied"
    assert not [one for one in findings(sound)[1] if here in one["message"]]
    sound.home.manifest.write_text(sound.manifest(mode="lights-out"))
    (told,) = [one for one in findings(sound)[1] if here in one["message"]]
    assert (told["level"], "swarmctl diff -f" in told["fix"]) == ("note", True)


def test_a_bad_manifest_is_found(sound):
    sound.home.manifest.write_text(sound.manifest(mode="wild"))
    assert any(one.startswith("manifest: ") and "spec.mode" in one for one in faults(sound))


@pytest.mark.parametrize(
    ("break_it", "named"),
    [
        pytest.param(lambda path: git(path, "checkout", "-q", "--detach"), "is on no branch",
                     id="detached"),
        pytest.param(lambda path: (path / ".git").rename(path / "gone"),
                     "not appear to be a git repository", id="no-repository"),
        pytest.param(lambda path: path.rename(path.with_name("moved")), "is no folder",
                     id="moved-away"),
    ],
)  # fmt: skip
def test_a_repository_that_cannot_be_followed_is_found(sound, break_it, named):
    break_it(sound.repository)
    assert any(one.startswith("repository: acme/shop") and named in one for one in faults(sound))


def test_what_is_followed_does_not_depend_on_the_git_settings_of_who_asks(
    sound, tmp_path, monkeypatch
):
    """The controller follows a repository whatever its user's settings are; doctor says so too."""
    (tmp_path / "strict").write_text(
        '[protocol "file"]\nallow = never\n[transfer]\nhideRefs = refs/heads\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "strict"))
    assert faults(sound) == []


def test_a_folder_that_no_check_can_work_in_is_found(sound, tmp_path):
    folder = tmp_path / "a:b"
    folder.mkdir()
    for file in (sound.home.file, sound.home.manifest):
        file.rename(folder / file.name)
    said = sound("doctor", "--home", str(folder), "-o", "json")
    assert said.code == 1
    assert [one["check"] for one in said.json["findings"] if one["level"] == "fault"] == ["folder"]


@pytest.fixture
def touched(sound, tmp_path):
    """A repository whose files git would compare by a command of its settings; gives its trace."""
    ran = tmp_path / "ran"
    (sound.repository / ".gitattributes").write_text("*.py filter=own\n")
    git(sound.repository, "add", ".")
    git(sound.repository, "commit", "-q", "-m", "attributes")
    git(sound.repository, "config", "filter.own.clean", f"touch '{ran}'; cat")
    os.utime(sound.repository / "a.py", (1, 1))
    return ran


@pytest.mark.usefixtures("touched")
def test_doctor_leaves_the_index_of_a_repository_as_it_is(sound):
    index = sound.repository / ".git" / "index"
    before = index.stat()
    assert faults(sound) == []
    assert (index.stat().st_ino, index.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.skipif(os.geteuid() != 0, reason="shows what root does")
def test_root_follows_a_repository_of_another_account_and_runs_nothing_of_its(sound, touched):
    """Whoever writes a repository's settings would else have root run a command of his."""
    for path in (sound.repository, *sound.repository.rglob("*")):
        os.chown(path, 65534, -1)
    assert faults(sound) == []
    assert not touched.exists()
    assert (sound.repository / ".git" / "index").stat().st_uid == 65534


def test_doctor_looks_at_the_bound_repository_also_in_a_hook_of_another(
    sound, tmp_path, monkeypatch
):
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    (other / "b.py").write_text("y = 1\n")
    git(other, "add", ".")
    git(other, "commit", "-q", "-m", "first")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert not [one for one in findings(sound)[1] if "has changes" in one["message"]]


def test_a_detached_head_is_no_fault_once_a_branch_is_followed(sound):
    """As it is while its user bisects or rebases."""
    assert not faults(sound, "--main")  # makes the private clone
    git(sound.repository, "checkout", "-q", "--detach")
    assert faults(sound) == []


def test_a_repository_without_a_commit_is_found(sound, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    mend(sound, str(sound.repository), str(empty))
    assert any("has no commit yet" in one for one in faults(sound))


@pytest.fixture
def landed(sound):
    """The same, and the private main has a commit of ours; gives the clone's folder."""
    assert not faults(sound, "--main")  # makes the private clone
    clone = next(sound.home.clones.glob("*.git"))
    tip = subprocess.run(["git", "-C", clone, "rev-parse", "main"], check=True,
                         capture_output=True, text=True).stdout.strip()  # fmt: skip
    identity = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
    ours = subprocess.run(
        ["git", "-C", clone, *identity, "commit-tree", f"{tip}^{{tree}}", "-p", tip, "-m", "ours"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    git(clone, "update-ref", "refs/heads/main", ours)
    return clone


@pytest.mark.slow
@pytest.mark.usefixtures("landed")
def test_what_landed_and_was_not_taken_over_is_a_note_with_the_command_that_does(sound):
    code, found = findings(sound)
    assert code == 0
    (lacking,) = [one for one in found if "your branch lacks 1 of its commits" in one["message"]]
    assert lacking["level"] == "note"
    command = lacking["fix"].partition(": ")[2]
    subprocess.run(["sh", "-c", command], cwd=sound.repository, check=True, capture_output=True)
    assert not any("lacks" in one["message"] for one in findings(sound)[1])


@pytest.mark.slow
@pytest.mark.usefixtures("landed")
def test_a_main_that_went_its_own_way_is_found(sound):
    """The private main has a commit of ours on top of what the user has rewritten."""
    git(sound.repository, "commit", "-q", "--amend", "-m", "another history")
    found = [one for one in findings(sound)[1] if one["level"] == "fault"]
    assert any("each has commits that the other lacks" in one["message"] for one in found)
    assert any("git pull" in one["fix"] for one in found)


@pytest.mark.slow
def test_a_main_that_fails_its_checks_is_found(sound):
    mend(sound, '[checks.lint]\nrun = ["true"]', '[checks.lint]\nrun = ["false"]')
    assert not faults(sound)
    found = faults(sound, "--main")
    assert any(one.startswith("main: acme/shop: lint is red on main") for one in found), found


def test_uncommitted_work_is_a_note_and_no_fault(sound):
    (sound.repository / "a.py").write_text("x = 2\n")
    code, found = findings(sound)
    assert code == 0
    assert any("the working copy has changes" in one["message"] for one in found)


def test_a_database_that_does_not_answer_is_found(sound):
    sound.use("host=/nonexistent port=5432 user=swarm dbname=postgres")
    assert any(one.startswith("database: ") for one in faults(sound))


def test_a_swarm_without_a_controller_is_found(sound):
    sound.apply()
    assert any(one.startswith("controller: none is running") for one in faults(sound))


@pytest.mark.parametrize(
    ("kind", "status", "reason", "level"),
    [
        pytest.param("DiscoveryHealthy", "Unknown", "NotConfigured", "note", id="no-sources"),
        pytest.param("DiscoveryHealthy", "Unknown", "SourceUnread", "note", id="not-read-yet"),
        pytest.param("DiscoveryHealthy", "False", "SourceDark", "fault", id="dark"),
        pytest.param("BudgetAvailable", "Unknown", "BudgetUnknown", "fault", id="no-budget"),
    ],
)
def test_only_what_stands_still_is_a_fault(kind, status, reason, level):
    """A Swarm that is fed by hand, and one that was started a moment ago, lack nothing."""
    condition = {"type": kind, "status": status, "reason": reason, "message": ""}
    swarm = {"name": "shop", "status": {"phase": "Idle", "conditions": [condition]}}
    (found,) = loop({"swarms": [swarm], "missions": [], "outcomes": [], "approvals": []})
    assert found.level == level


@pytest.mark.slow
def test_conditions_that_are_not_well_are_passed_on_with_their_remedy(sound):
    """What the Swarm itself reports is not asked for a second time."""
    sound.apply()
    with sound.working():
        sound.wait_for("swarms", lambda row: row["status"])
    sound.sql(
        "update swarm set status = jsonb_set(status, '{conditions,3}', "
        """'{"type": "DiscoveryHealthy", "status": "False", "reason": "SourceDark",
             "message": "ruff: it is gone"}')"""
    )
    found = [one for one in findings(sound)[1] if one["check"] == "swarm"]
    dark = [one for one in found if "DiscoveryHealthy is False: ruff: it is gone" in one["message"]]
    assert [one["level"] for one in dark] == ["fault"]
    assert "swarmctl source test" in dark[0]["fix"]
    told = sound("describe", "swarm").out
    assert "!!  DiscoveryHealthy  False   SourceDark: ruff: it is gone" in told
    assert "fix: `swarmctl source test NAME`" in told


@pytest.mark.req("FRZ-5")
def test_a_swarm_whose_freezes_could_never_be_lifted_is_found(sound):
    def said():
        return [one["message"] for one in findings(sound)[1] if "resume window" in one["message"]]

    sound.apply()
    assert said() == [], "its profile asks for none"
    sound.apply(domains=["quant-strategy"])
    assert said() == ["shop: no resume window is set, and without one no freeze is lifted"]
    mend(sound, "[loop]", '[loop]\nresume_window = "08:00-08:30"')
    assert said() == []


def test_a_folder_without_an_installation_is_found(verb, tmp_path, monkeypatch):
    monkeypatch.delenv("SWARM_HOME", raising=False)
    said = verb("doctor", "--home", tmp_path)
    assert said.code == 1
    assert "swarmctl init" in said.out


def test_a_disk_that_is_full_is_found(sound, monkeypatch):
    class Full:
        f_bavail, f_frsize = 10, 4096

    monkeypatch.setattr("swarm.cli.health_machine.os.statvfs", lambda _: Full)
    assert any(one.startswith("disk: 0 MiB free") for one in faults(sound))


def test_a_machine_without_git_or_keygen_is_told(sound, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {one["check"]: one for one in findings(sound)[1]}
    assert found["git"]["level"] == "fault"
    assert found["ssh-keygen"]["level"] == "note"


@pytest.mark.parametrize("can", [True, False])
def test_a_command_that_is_to_have_no_network_is_looked_at(sound, monkeypatch, can):
    monkeypatch.setattr("swarm.runtime.wiring.can_cut_network", lambda: can)
    mend(sound, '[agents.tidy]\nrun = ["true"]', '[agents.tidy]\nrun = ["true"]\nnetwork = "none"')
    bad = faults(sound)
    said = "network: agents.tidy: this machine lets no command be cut off from the network"
    assert [one for one in bad if one.startswith("network")] == ([] if can else [said])
    looked = {one["check"]: one["level"] for one in findings(sound)[1]}
    assert looked["network"] == ("ok" if can else "fault")


@pytest.mark.parametrize(
    ("newest_first", "told"),
    [
        ((("s-1", "MainIsRed"),), 1),
        ((("s-1", "Delivered"), ("s-1", "MainIsRed")), 0),
        ((("s-1", "MainIsRed"), ("s-1", "MainIsRed"), ("s-2", "Delivered")), 1),
        ((("s-2", "Delivered"), ("s-1", "MainIsRed")), 1),
    ],
)
def test_a_red_main_is_told_while_it_was_the_newest_end_of_a_swarm(newest_first, told):
    """Else every mission ends at once, and nothing that is open says why."""
    outcomes = [
        {"swarm": swarm, "mission": f"m-{n}", "reason": reason, "detail": "unit is red on main"}
        for n, (swarm, reason) in enumerate(newest_first)
    ]
    found = list(loop({"swarms": [], "missions": [], "outcomes": outcomes, "approvals": []}))
    assert [one.check for one in found] == ["main"] * told
    assert all("unit is red on main" in one.message and one.fix for one in found)
