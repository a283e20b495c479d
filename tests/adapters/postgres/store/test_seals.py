"""Sealing on a real database: when it writes, and what an administrator cannot hide."""

from __future__ import annotations

import asyncio
import json
import shutil
import stat
import threading
from dataclasses import replace

import pytest

from swarm.adapters.local.attest.errors import TrustFileUnusable
from swarm.adapters.local.errors import SealKeyUnusable
from swarm.adapters.local.notary import LocalNotary
from swarm.adapters.postgres.store.desk.trails import Trails
from swarm.adapters.postgres.store.errors import DatabaseRolledBack
from swarm.adapters.postgres.store.seals import PostgresSeals
from swarm.core.seal import Seal
from swarm.core.trail import FaultKind

#: What an administrator can do who knows our code: change an event and hash everything anew.
REHASH = """
do $$
declare e record; prev bytea := '';
begin
  for e in select * from swarm.trail where chain = '{chain}' order by seq loop
    update swarm.trail
    set hash = swarm.link(prev, e.chain, e.seq, e.at, e.kind, e.actor, e.body)
    where chain = e.chain and seq = e.seq returning hash into prev;
  end loop;
  update swarm.mission set trail_hash = prev,
    trail_seq = (select max(seq) from swarm.trail where chain = '{chain}')
  where id = '{chain}';
end $$
"""


@pytest.fixture
def notary(tmp_path):
    return LocalNotary(tmp_path / "seals")


@pytest.fixture
def seals(world, notary):
    return PostgresSeals(world.database, notary)


async def everything(world, seals):
    """All faults that `audit verify` would name, as (chain kind, seq, kind)."""
    verified = await Trails(world.database).verify_all(world.swarm)
    _, faults = await seals.verify(world.swarm)
    known = {fault.chain for fault in verified.faults}
    told = (*verified.faults, *(fault for fault in faults if fault.chain not in known))
    return [(fault.chain.partition("-")[0], fault.seq, fault.kind) for fault in told]


@pytest.fixture
async def sealed(world, make, seals):
    """A mission with events before and after the first of two seals."""
    mission = await world.open_mission("n-1", make.start_run)
    assert await seals.seal(world.swarm)
    await world.tick(make.nothing(orders=(make.run_check(mission),)))
    assert await seals.seal(world.swarm)
    return mission


@pytest.mark.req("VAL-6")
@pytest.mark.req("API-7")
async def test_a_quiet_swarm_is_not_sealed_again(world, make, seals):
    await world.open_mission("n-1", make.start_run)
    assert await seals.unsealed() == [world.swarm]
    first = await seals.seal(world.swarm)
    assert (first.seq, json.loads(first.body)["heads"]) == (1, 2)
    before = await world.one("select pg_snapshot_xmax(pg_current_snapshot())::text")
    assert await seals.unsealed() == []
    assert await seals.seal(world.swarm) is None
    assert await world.one("select pg_snapshot_xmax(pg_current_snapshot())::text") == before
    assert await world.one("select count(*) from seal") == 1


@pytest.mark.req("VAL-6")
async def test_a_seal_holds_only_what_grew_and_links_to_the_one_before(world, make, seals, notary):
    mission = await world.open_mission("n-1", make.start_run)
    await world.open_mission("n-2", make.start_run)
    first = await seals.seal(world.swarm)
    await world.tick(make.nothing(orders=(make.run_check(mission),)))
    second = await seals.seal(world.swarm)
    assert [leaf.chain for leaf in second.leaves] == [mission]
    assert json.loads(second.body)["prev"] == first.hash.hex()
    assert await seals.verify(world.swarm) == (2, ())
    assert notary.published(world.swarm).keys() == {1, 2}
    assert notary.published(world.swarm)[2].body == second.body


@pytest.mark.req("VAL-6")
async def test_an_event_of_a_transaction_that_ends_late_is_in_the_next_seal(world, make, seals):
    """The tail is followed by transactions, so what was begun early is not passed by."""
    await world.open_mission("n-1", make.start_run)
    async with world.database.connection() as late:
        await late.execute("begin")
        await late.execute("select pg_current_xact_id()")
        await world.open_mission("n-2", make.start_run)
        await seals.seal(world.swarm)
        held = await seals.unsealed()
        await late.execute("commit")
    assert held == []
    assert await seals.unsealed() == [world.swarm]
    await seals.seal(world.swarm)
    sealed = await world.sql("select leaves from seal order by seq")
    chains = {chain for (text,) in sealed for chain, _, _ in json.loads(text)}
    assert chains == {chain for (chain,) in await world.sql("select distinct chain from trail")}


@pytest.mark.req("OWN-4")
async def test_two_controllers_make_one_seal(world, make, seals, notary):
    await world.open_mission("n-1", make.start_run)
    other = PostgresSeals(world.database, notary)
    made = await asyncio.gather(seals.seal(world.swarm), other.seal(world.swarm))
    assert [seal.seq for seal in made if seal] == [1]


@pytest.mark.req("VAL-6")
async def test_an_untouched_trail_has_no_fault(world, seals, sealed):
    assert await everything(world, seals) == []


@pytest.mark.req("VAL-6")
@pytest.mark.parametrize(
    ("statement", "rehash", "found"),
    [
        pytest.param(
            "update trail set body = replace(body, '{{', '{{\"a\":1,') where chain = '{chain}'"
            " and seq = 1", False, ("m", 1, FaultKind.EDITED), id="body-edited",
        ),
        pytest.param(
            "update trail set actor = 'ann' where chain = '{chain}' and seq = 1", True,
            ("m", 1, FaultKind.REWRITTEN), id="edited-and-hashed-anew",
        ),
        pytest.param(
            "update trail set actor = 'ann' where chain = '{chain}' and seq = 3", True,
            ("m", 3, FaultKind.REWRITTEN), id="edited-behind-the-first-seal",
        ),
        pytest.param(
            "delete from trail where chain = '{chain}' and seq = 2", False,
            ("m", 2, FaultKind.REMOVED), id="middle-removed",
        ),
        pytest.param(
            "delete from trail where chain = '{chain}' and seq = 3", True,
            ("m", 3, FaultKind.CUT), id="tail-cut-and-head-set-back",
        ),
        pytest.param("delete from seal where seq = 2", False,
                     ("seals of s", 2, FaultKind.ROLLED_BACK), id="seal-removed"),
        pytest.param("delete from seal where seq = 1", False,
                     ("seals of s", 1, FaultKind.REMOVED), id="first-seal-removed"),
        pytest.param("update seal set leaves = '[]' where seq = 1", False,
                     ("seals of s", 1, FaultKind.EDITED), id="heads-of-a-seal-removed"),
        pytest.param("update seal set leaves = 'junk' where seq = 1", False,
                     ("seals of s", 1, FaultKind.EDITED), id="heads-made-unreadable"),
    ],
)  # fmt: skip
async def test_an_administrator_is_found(world, seals, sealed, statement, rehash, found):
    assert await world.one("select max(seq) from trail where chain = %s", sealed) == 3
    await world.sql(statement.format(chain=sealed))
    if rehash:
        await world.sql(REHASH.format(chain=sealed))
    assert await everything(world, seals) == [found]


@pytest.mark.req("VAL-6")
async def test_events_that_change_places_are_found(world, seals, sealed):
    await world.sql("update trail set seq = seq + 10 where chain = %s and seq in (2, 3)", sealed)
    await world.sql("update trail set seq = 15 - seq where chain = %s and seq > 10", sealed)
    found = await everything(world, seals)
    assert ("m", 2, FaultKind.MOVED) in found


@pytest.mark.req("VAL-6")
async def test_a_database_that_was_rolled_back_is_found_and_not_sealed_over(
    world, make, seals, sealed
):
    """As a restored copy looks: everything agrees with itself, and is older than what was told."""
    await world.sql("delete from seal where seq = 2")
    await world.sql("delete from decision where key like '%/check/%'")
    await world.sql("delete from trail where chain = %s and seq = 3", sealed)
    await world.sql(REHASH.format(chain=sealed))
    assert (await Trails(world.database).verify_all(world.swarm)).faults == ()
    assert await everything(world, seals) == [("seals of s", 2, FaultKind.ROLLED_BACK)]
    await world.tick(make.nothing(orders=(make.run_check(sealed, commit="c9"),)))
    with pytest.raises(DatabaseRolledBack, match="seal 2 was published"):
        await seals.seal(world.swarm)
    assert await world.one("select count(*) from seal") == 1


@pytest.mark.req("VAL-6")
async def test_what_a_crash_left_unpublished_is_published_at_the_next_turn(
    world, make, seals, sealed, notary, tmp_path
):
    path = tmp_path / "seals" / f"{world.swarm}.jsonl"
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    path.write_bytes(whole[: first + 40])  # the second line was cut off in the middle
    assert notary.last(world.swarm).seq == 1
    assert await everything(world, seals) == []
    await seals.seal(world.swarm)
    assert path.read_bytes() == whole


@pytest.mark.req("VAL-6")
async def test_a_seal_of_another_key_is_not_taken(world, seals, sealed, tmp_path):
    elsewhere, key = tmp_path / "elsewhere", tmp_path / "seals" / "seal.key.pub"
    stranger = PostgresSeals(world.database, LocalNotary(elsewhere))
    count, (fault,) = await stranger.verify(world.swarm)
    assert (count, fault.kind) == (2, FaultKind.UNKNOWN_KEY)
    friend = PostgresSeals(world.database, LocalNotary(elsewhere, [key]))
    assert await friend.verify(world.swarm) == (2, ())
    await world.sql("update seal set signature = decode(repeat('00', 64), 'hex') where seq = 1")
    _, (fault,) = await friend.verify(world.swarm)
    assert (fault.seq, fault.kind) == (1, FaultKind.UNSIGNED)
    with pytest.raises(TrustFileUnusable, match="No such file"):
        await PostgresSeals(world.database, LocalNotary(elsewhere, [elsewhere / "none"])).verify(
            world.swarm
        )


@pytest.mark.req("VAL-6")
async def test_behind_seals_of_an_unknown_key_an_edited_event_is_still_found(
    world, seals, sealed, tmp_path
):
    stranger = PostgresSeals(world.database, LocalNotary(tmp_path / "elsewhere"))
    await world.sql("update trail set body = '{}' where chain = %s and seq = 2", sealed)
    await world.sql(REHASH.format(chain=sealed))
    _, faults = await stranger.verify(world.swarm)
    assert [fault.kind for fault in faults] == [FaultKind.UNKNOWN_KEY, FaultKind.REWRITTEN]


@pytest.mark.req("VAL-6")
async def test_controllers_of_one_folder_publish_each_seal_once_and_whole(tmp_path):
    """Each process has a notary of its own, and all of them come to every seal at once."""
    made = [
        Seal(swarm="s-1", seq=seq, body=json.dumps({"seq": seq}), key="k", signature=b"x")
        for seq in range(1, 61)
    ]

    together = threading.Barrier(6)

    def publish():
        notary = LocalNotary(tmp_path)
        for one in made:
            together.wait(60)
            notary.publish(one)

    await asyncio.gather(*(asyncio.to_thread(publish) for _ in range(6)))
    lines = (tmp_path / "s-1.jsonl").read_text().splitlines()
    assert [json.loads(json.loads(line)["body"])["seq"] for line in lines] == list(range(1, 61))


async def test_the_key_is_kept_outside_for_its_owner_alone(world, seals, sealed, tmp_path, notary):
    key = tmp_path / "seals" / "seal.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "seals").stat().st_mode) == 0o700
    assert await world.one("select count(*) from seal where body like '%%PRIVATE%%'") == 0
    key.chmod(0o644)
    with pytest.raises(SealKeyUnusable, match="others"):
        LocalNotary(tmp_path / "seals").sign(b"x")
    key.write_text("no key")
    key.chmod(0o600)
    with pytest.raises(SealKeyUnusable, match="PEM"):
        LocalNotary(tmp_path / "seals").sign(b"x")


@pytest.mark.req("VAL-6")
async def test_a_published_line_that_was_changed_is_found(world, seals, sealed, notary, tmp_path):
    path = tmp_path / "seals" / f"{world.swarm}.jsonl"
    one, two = path.read_text().splitlines()
    said = json.loads(two)
    said["body"] = said["body"].replace('"heads":1', '"heads":2')
    path.write_text(f"{one}\n{json.dumps(said)}\n")
    assert await everything(world, seals) == [("seals of s", 2, FaultKind.REWRITTEN)]
    kept = notary.published(world.swarm)[1]
    notary.publish(replace(kept))  # an older one again is success, and changes nothing
    assert path.read_text().splitlines()[0] == one


@pytest.mark.req("VAL-6")
async def test_who_can_only_append_to_what_was_published_takes_nothing_back(
    world, make, seals, sealed, tmp_path
):
    """He has the database and the key: a trail and seals of his own, published behind the true."""
    folder, own = tmp_path / "seals", tmp_path / "own"
    own.mkdir()
    shutil.copy(folder / "seal.key", own)
    await world.sql("update trail set actor = 'ann' where chain = %s and seq = 1", sealed)
    await world.sql(REHASH.format(chain=sealed))
    await world.sql("delete from seal")
    forger = PostgresSeals(world.database, LocalNotary(own))
    assert await forger.seal(world.swarm)
    await world.tick(make.nothing(orders=(make.run_check(sealed, commit="c9"),)))
    assert await forger.seal(world.swarm)
    assert await everything(world, forger) == []
    with (folder / f"{world.swarm}.jsonl").open("ab") as published:
        published.write((own / f"{world.swarm}.jsonl").read_bytes())
    assert await everything(world, seals) == [("seals of s", 1, FaultKind.REWRITTEN)]
