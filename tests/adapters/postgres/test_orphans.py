"""Root's data outlives the folder it was asked for: which of it nobody will ask for again."""

import shutil

import pytest

from swarm.adapters.postgres.reach import claim_stand_in, orphans, sign_stand_in


@pytest.fixture
def kept(tmp_path):
    """One installation's data folder, and what stands in for it."""
    asked, stand_in = tmp_path / "shop" / "database", tmp_path / "system" / "data-1"
    claim_stand_in(asked, stand_in)
    (stand_in / "cluster").mkdir(parents=True)
    sign_stand_in(asked, stand_in)
    return asked, stand_in


def test_data_of_a_folder_that_is_there_is_nobodys_orphan(kept):
    assert orphans(kept[1].parent) == []


def test_data_of_a_folder_that_is_gone_is_one(kept):
    asked, stand_in = kept
    shutil.rmtree(asked.parent)
    assert orphans(stand_in.parent) == [stand_in]


def test_only_what_lay_below_a_folder_is_asked_for(kept):
    asked, stand_in = kept
    shutil.rmtree(asked.parent)
    assert orphans(stand_in.parent, below=asked.parent) == [stand_in]
    assert orphans(stand_in.parent, below=asked.parent.with_name("sho")) == []


def test_data_of_a_folder_that_was_made_anew_is_one(kept):
    asked, stand_in = kept
    shutil.rmtree(asked)
    claim_stand_in(asked, stand_in.with_name("data-2"))
    assert orphans(stand_in.parent) == [stand_in]


def test_data_of_a_folder_that_was_moved_is_none_to_its_owner_and_then_to_nobody(kept):
    asked, stand_in = kept
    moved = asked.parent.rename(asked.parent.with_name("moved")) / asked.name
    assert orphans(stand_in.parent, own=moved) == []
    sign_stand_in(moved, stand_in)  # as the next start does
    assert orphans(stand_in.parent) == []


def test_data_that_a_server_works_on_is_none(kept):
    """The folder was deleted under a running installation."""
    asked, stand_in = kept
    shutil.rmtree(asked)
    (stand_in / "cluster" / "postmaster.pid").touch()
    assert orphans(stand_in.parent) == []


def test_no_system_folder_holds_none(tmp_path):
    assert orphans(tmp_path / "nothing") == []
