"""From the gate to the venue and back: all recorded, nothing twice, and the venue is right."""

import asyncio

import pytest

from swarm.adapters.paper.exchange import PaperExchange
from swarm.adapters.paper.rules import PaperRules
from swarm.adapters.paper.venue import PaperVenue
from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.migrate import migrate
from swarm.adapters.postgres.store.errors import ChainBroken, RecordRefused, StaleFence
from swarm.adapters.postgres.store.trading.chain import GateChain
from swarm.contract.errors import Unavailable
from swarm.ports.gate_records import Decided
from swarm.ports.venue import ReportKind, Unreachable
from swarm.regime.controls import events as happened
from swarm.regime.controls.books import FIRM
from swarm.regime.controls.decision import Control, Ruling
from swarm.regime.controls.events import Tripped
from swarm.regime.controls.order import Side, order_hash
from swarm.regime.controls.override import Override
from swarm.regime.limits.caps import NearDuplicate, Repetition
from swarm.regime.limits.instrument import SECOND
from swarm.runtime.trading.errors import NotOpen
from swarm.testing.trading import NOON, in_force, limit_set, trade_order

pytestmark = pytest.mark.req("REG-10")


class Down:
    """Records whose database has gone away, after it had been there."""

    def __init__(self, chain):
        self.chain = chain
        self.down = False

    async def open(self):
        return await self.chain.open()

    async def append(self, records):
        if self.down:
            raise Unavailable("the database does not answer")
        await self.chain.append(records)


async def test_an_order_goes_through_and_its_fill_comes_back(desk):
    path = await desk.opened()
    decision = await path.submit(trade_order())
    assert decision.ruling is Ruling.ACCEPT
    desk.exchange.quote("ACME", Side.SELL, 10_000, 4, desk.now)
    assert await path.follow() == ()
    ledger = path.state.ledger
    assert ledger.accounts.cell("main", "ACME").held == 4
    assert ledger.working["o-1"].remaining == 6
    assert await path.agree() == ()
    assert ledger.breaks == {}


async def test_before_it_is_open_nothing_is_sent(desk):
    with pytest.raises(NotOpen):
        await desk.path().submit(trade_order())


async def test_every_decision_is_recorded_before_its_order_is_sent(desk):
    seen = []
    path = await desk.opened()
    venue = path.state.venues["paper"]

    class Watched:
        name = "paper"

        async def submit(self, order):
            count, fault = await desk.chain().verify()
            seen.append((count, fault))
            return await venue.submit(order)

    path.state.venues = {"paper": Watched()}
    await path.submit(trade_order())
    await path.submit(trade_order("o-2", sha="bad0"))
    assert seen == [(1, None)]
    records = await desk.chain().open()
    assert [one.decision.ruling for one in records] == [Ruling.ACCEPT, Ruling.REJECT]
    assert records[1].decision.refusals[0].reason == "ReleaseUnknown"


async def test_what_cannot_be_read_is_recorded_as_it_was_said(desk):
    path = await desk.opened()
    for bad in (trade_order(quantity=float("nan")), {"id": "\x00"}, trade_order(trader="\ud800")):
        assert (await path.submit(bad)).ruling is Ruling.REJECT
    records = await desk.chain().open()
    assert all(isinstance(one, Decided) and one.order is None and one.said for one in records)
    assert desk.exchange.reports == []


async def test_without_the_database_nothing_is_sent(desk):
    records = Down(desk.chain())
    path = await desk.opened(records=records)
    records.down = True
    decision = await path.submit(trade_order())
    assert decision.ruling is Ruling.REJECT
    assert decision.refusals[-1].reason == "RecordUnwritten"
    assert desk.exchange.reports == []
    assert path.state.ledger.working == {}
    records.down = False
    assert (await path.submit(trade_order())).ruling is Ruling.ACCEPT


async def test_an_order_that_was_being_written_while_the_path_closed_is_not_sent(desk):
    """Whoever closes cancels what works, and nobody watches what would come behind it."""
    written, free = asyncio.Event(), asyncio.Event()

    class Held(Down):
        async def append(self, records):
            written.set()
            await free.wait()
            await super().append(records)

    free.set()
    path = await desk.opened(records=Held(desk.chain()))
    free.clear()
    written.clear()
    asked = [asyncio.create_task(path.submit(trade_order(id_))) for id_ in ("o-1", "o-2")]
    await written.wait()
    closing = asyncio.create_task(path.close())
    await asyncio.sleep(0)
    free.set()
    first, second = await asyncio.gather(*asked, return_exceptions=True)
    assert first.ruling is Ruling.ACCEPT, "it counts"
    assert isinstance(second, NotOpen)
    assert await closing
    assert desk.exchange.reports == []
    again = await desk.opened()
    assert list(again.state.ledger.working) == ["o-1"]
    desk.now += 6 * SECOND
    assert await again.agree() == ()
    assert (again.state.ledger.working, again.state.ledger.breaks) == ({}, {})


async def test_an_order_id_is_sent_once_however_often_it_is_asked(desk):
    path = await desk.opened()
    await path.submit(trade_order())
    assert (await path.submit(trade_order())).ruling is Ruling.REPEAT
    again = await desk.opened()
    assert (await again.submit(trade_order())).ruling is Ruling.REPEAT
    assert [one.kind.value for one in desk.exchange.reports] == ["accepted"]


@pytest.mark.parametrize("arrived", [True, False], ids=["sent", "not-sent"])
async def test_a_crash_between_writing_and_sending_never_counts_too_little(desk, arrived):
    """Control 8. The order was written; whether it left is known to the venue alone."""
    path = await desk.opened()
    venue = path.state.venues["paper"]

    class Dying:
        name = "paper"

        async def submit(self, order):
            if arrived:
                await venue.submit(order)
            raise RuntimeError("killed here")

    path.state.venues = {"paper": Dying()}
    with pytest.raises(RuntimeError):
        await path.submit(trade_order())
    again = await desk.opened()
    ledger = again.state.ledger
    assert ledger.accounts.totals[FIRM] > 0
    assert list(ledger.working) == ["o-1"]
    assert bool(ledger.doubts) is not arrived
    more = await again.submit(trade_order("o-2"))
    assert (more.ruling is Ruling.ACCEPT) is arrived
    # Once it cannot be on its way any more, what never came is closed, and trading goes on.
    desk.now += 6 * SECOND
    desk.market(again)
    assert await again.agree() == ()
    assert list(ledger.working) == (["o-1", "o-2"] if arrived else [])
    assert (await again.submit(trade_order("o-3"))).ruling is Ruling.ACCEPT
    assert ledger.breaks == {}


@pytest.mark.parametrize("rules", [PaperRules(lost_ppm=10**6), PaperRules(unheard_ppm=10**6)])
async def test_an_order_that_got_no_answer_is_in_doubt_until_the_venue_speaks(desk, rules):
    path = await desk.opened()
    desk.exchange.rules = rules
    await path.submit(trade_order())
    assert path.state.ledger.doubts == {"paper": ("o-1",)}
    refused = await path.submit(trade_order("o-2"))
    assert "OrdersInDoubt" in {one.reason for one in refused.refusals}
    desk.exchange.rules = PaperRules()
    desk.now += 6 * SECOND
    desk.market(path)
    assert await path.agree() == ()
    assert path.state.ledger.doubts == {}
    assert bool(path.state.ledger.working) is (rules.unheard_ppm > 0)
    assert (await path.submit(trade_order("o-3"))).ruling is Ruling.ACCEPT


async def test_that_there_was_nothing_to_cancel_does_not_say_that_an_order_is_known(desk):
    """It may still be on its way: until its time is over, it is in doubt, and no break after."""
    path = await desk.opened()
    desk.exchange.rules = PaperRules(lost_ppm=10**6)
    await path.submit(trade_order())
    desk.exchange.rules = PaperRules()
    desk.exchange._report(ReportKind.CANCEL_REJECTED, trade_order(), 0, desk.now)
    await path.follow()
    assert path.state.ledger.doubts == {"paper": ("o-1",)}
    desk.now += 6 * SECOND
    assert await path.agree() == ()
    assert (path.state.ledger.working, path.state.ledger.breaks) == ({}, {})


class Slow:
    """A venue where something else happens while it is asked."""

    def __init__(self, venue, asked, meanwhile):
        self._venue, self._asked, self._meanwhile = venue, asked, [meanwhile]

    def __getattr__(self, name):
        return getattr(self._venue, name)

    async def _turn(self, what, *given):
        said = await getattr(self._venue, what)(*given)
        if what == self._asked and self._meanwhile:
            await self._meanwhile.pop()()
        return said

    async def books(self):
        return await self._turn("books")

    async def cancel(self, orders):
        return await self._turn("cancel", orders)


async def test_what_falls_into_doubt_while_doubts_are_settled_stays_in_doubt(desk):
    path = await desk.opened()
    desk.exchange.rules = PaperRules(lost_ppm=10**6)
    await path.submit(trade_order())
    desk.exchange.rules = PaperRules()

    async def another():
        desk.exchange.rules = PaperRules(lost_ppm=10**6)
        path.state.see(happened.Doubted(venue="paper", orders=(), at_ns=desk.now))
        desk.market(path)
        await path.submit(trade_order("o-2"))

    path.state.venues["paper"] = Slow(path.state.venues["paper"], "cancel", another)
    desk.now += 6 * SECOND
    assert await path.agree() == ()
    assert path.state.ledger.doubts == {"paper": ("o-2",)}


async def test_books_of_before_an_order_say_nothing_of_it_however_old_they_grow(desk):
    """They were asked for, the order was sent and not heard of, and then another venue hung."""
    path = await desk.opened()

    async def sent_meanwhile():
        desk.exchange.rules = PaperRules(unheard_ppm=10**6)
        await path.submit(trade_order())
        desk.exchange.rules = PaperRules()
        desk.now += 6 * SECOND

    path.state.venues["paper"] = Slow(path.state.venues["paper"], "books", sent_meanwhile)
    assert await path.agree() == ()
    assert path.state.ledger.doubts == {"paper": ("o-1",)}
    assert list(path.state.ledger.working) == ["o-1"]
    assert await path.agree() == ()
    assert path.state.ledger.doubts == {}
    assert list(path.state.ledger.working) == ["o-1"]


async def test_books_that_reports_overtook_while_another_venue_was_asked_are_no_break(desk):
    """As when somebody confirms a kill while books are compared."""
    other = PaperVenue("quiet", PaperExchange([]), desk.clock)
    paper = PaperVenue("paper", desk.exchange, desk.clock)

    async def traded():
        desk.exchange.quote("ACME", Side.SELL, 10_000, 4, desk.now)
        await path.follow()

    path = await desk.opened(venues={"paper": paper, "quiet": other})
    await path.submit(trade_order())
    await path.follow()
    path.state.venues["quiet"] = Slow(other, "books", traded)
    assert await path.agree() == ()
    assert path.state.ledger.accounts.cell("main", "ACME").held == 4


async def test_a_venue_that_is_away_stops_growth_and_is_named(desk):
    path = await desk.opened()
    desk.exchange.rules = PaperRules(outages=((NOON + SECOND, NOON + 2 * SECOND),))
    desk.now = NOON + SECOND
    assert await path.follow() == ("paper",)
    await path.submit(trade_order())
    assert "paper" in path.state.ledger.doubts
    desk.now = NOON + 9 * SECOND
    assert await path.agree() == ()
    assert path.state.ledger.working == {}


async def test_after_a_restart_the_ledger_is_the_same(desk):
    path = await desk.opened()
    for number in range(4):
        await path.submit(trade_order(f"o-{number}", price=10_000 - number))
    desk.exchange.quote("ACME", Side.SELL, 9_998, 25, desk.now)
    await path.cancel(["o-3"])
    await path.follow()
    again = await desk.opened()
    for one, two in ((path.state.ledger, again.state.ledger),):
        assert one.accounts.totals == two.accounts.totals
        assert {k: (e.remaining, e.closed) for k, e in one.orders.items()} == {
            k: (e.remaining, e.closed) for k, e in two.orders.items()
        }
    assert again.state.ledger.doubts == {}
    _, fault = await desk.chain().verify()
    assert fault is None


async def test_who_was_taken_over_can_send_nothing_more(desk):
    old = await desk.opened()
    new = await desk.opened()
    with pytest.raises(StaleFence):
        await old.submit(trade_order())
    assert (await new.submit(trade_order())).ruling is Ruling.ACCEPT
    assert len(desk.exchange.reports) == 1


# --- the venue is right ---------------------------------------------------------------------------


async def test_an_order_that_we_never_sent_is_a_break_and_is_cancelled(desk):
    path = await desk.opened()
    desk.exchange.submit(trade_order("ghost"), desk.now)
    found = await path.agree()
    assert {one.kind.value for one in found} == {"unknown"}
    assert path.state.ledger.breaks
    assert desk.exchange.books_now().working == ()
    refused = await path.submit(trade_order())
    assert "BooksDiffer" in {one.reason for one in refused.refusals}


async def test_a_missing_fill_is_found_and_only_a_person_goes_on(desk):
    """Control 16: the venue traded; its report of it never came."""
    path = await desk.opened()
    await path.submit(trade_order())
    await path.follow()
    desk.exchange.quote("ACME", Side.SELL, 10_000, 10, desk.now)
    lost = desk.exchange.reports.pop()
    assert lost.quantity == 10
    found = await path.agree()
    assert {one.kind.value for one in found} == {"missing", "position"}
    refused = await path.submit(trade_order("o-2"))
    assert "BooksDiffer" in {one.reason for one in refused.refusals}
    again = await desk.opened()
    assert again.state.ledger.breaks.keys() >= path.state.ledger.breaks.keys()
    for broken in list(again.state.ledger.breaks):
        await again.undo(*desk.token("clear-break", broken, by="ben"))
    assert again.state.ledger.breaks == {}


async def test_a_gap_in_the_reports_is_a_break(desk):
    path = await desk.opened()
    await path.submit(trade_order())
    await path.submit(trade_order("o-2"))
    del desk.exchange.reports[0]
    await path.follow()
    (broken,) = path.state.ledger.breaks.values()
    assert broken.detail == "report 1 is missing"


# --- people --------------------------------------------------------------------------------------


async def test_a_latch_holds_over_a_restart_until_a_person_signs(desk):
    rule = Repetition(most=2, window_ns=60 * SECOND, near=NearDuplicate.FLAG, duplicate_ns=1)
    desk.limits = in_force(limit_set(repetition=rule))
    path = await desk.opened()
    for number in range(3):
        decision = await path.submit(trade_order(f"o-{number}"))
    assert decision.trips
    desk.now += 10**6 * SECOND
    again = await desk.opened()
    (latch,) = again.state.ledger.latches.values()
    assert isinstance(latch, Tripped)
    refused = await again.submit(trade_order("o-9"))
    assert "StrategyOff" in {one.reason for one in refused.refusals}
    await again.undo(*desk.token("re-enable", latch.latch))
    third = await desk.opened()
    assert third.state.ledger.latches == {}
    assert (await third.submit(trade_order("o-9"))).ruling is Ruling.ACCEPT


async def test_an_override_is_used_up_by_its_order(desk):
    path = await desk.opened()
    order = trade_order(price=10_090)
    exception = Override(
        order_hash=order_hash(order), control=Control.COLLAR, expires_ns=NOON + SECOND,
        verified_by="ada", authorised_by="sol", nonce="n-1",
    )  # fmt: skip
    decision = await path.submit(order, exception)
    assert (decision.ruling, decision.overridden) == (Ruling.ACCEPT, Control.COLLAR)
    assert "n-1" in (await desk.opened()).state.ledger.nonces


# --- the chain -----------------------------------------------------------------------------------


async def test_a_changed_record_breaks_the_chain_and_nothing_opens(desk):
    """Control 23: the database refuses the change; whoever gets round that is found."""
    path = await desk.opened()
    for number in range(3):
        await path.submit(trade_order(f"o-{number}"))
    forge = "update gate_record set body = replace(body, 'tom', 'ann') where seq = 2"
    async with desk.database.connection() as connection:
        with pytest.raises(Exception, match="append only"):
            await connection.execute(forge)
        with pytest.raises(Exception, match="append only"):
            await connection.execute("truncate gate_record")
        with pytest.raises(Exception, match="append only"):
            await connection.execute("delete from gate_record")
        await connection.execute("alter table gate_record disable trigger all")
        await connection.execute(forge)
    count, fault = await desk.chain().verify()
    assert (count, fault.seq, fault.kind.value) == (3, 2, "edited")
    with pytest.raises(ChainBroken):
        await desk.opened()


async def test_a_cut_tail_breaks_the_chain(desk):
    path = await desk.opened()
    await path.submit(trade_order())
    async with desk.database.connection() as connection:
        await connection.execute("alter table gate_record disable trigger all")
        await connection.execute("delete from gate_record where seq = 1")
    _, fault = await desk.chain().verify()
    assert fault.kind.value == "cut"


async def test_records_that_were_restored_elsewhere_verify(desk, empty_database_dsn):
    """Control 23, the restore drill: copied out, copied in, verified, and traded on."""
    path = await desk.opened()
    for number in range(3):
        await path.submit(trade_order(f"o-{number}"))
    migrate(empty_database_dsn)
    async with Database(empty_database_dsn) as restored:
        for table in ("gate_head", "gate_record"):
            async with (
                desk.database.connection() as old,
                restored.connection() as new,
                old.cursor().copy(f"copy {table} to stdout".encode()) as out,
                new.cursor().copy(f"copy {table} from stdin".encode()) as into,
            ):
                async for part in out:
                    await into.write(part)
        chain = GateChain(restored, "desk", "test")
        assert await chain.verify() == (3, None)
        again = await desk.opened(records=chain)
        assert list(again.state.ledger.working) == ["o-0", "o-1", "o-2"]
        assert (await again.submit(trade_order("o-3"))).ruling is Ruling.ACCEPT


async def test_an_order_is_accepted_once_even_by_a_ledger_that_forgot(desk):
    path = await desk.opened()
    await path.submit(trade_order())
    path.state.ledger.orders.clear()
    with pytest.raises(RecordRefused):
        await path.submit(trade_order())
    assert len(desk.exchange.reports) == 1


async def test_a_commit_that_nobody_heard_of_is_not_made_twice(desk):
    chain = desk.chain()
    await chain.open()
    event = happened.Closed(order="o-1", reason="cancelled", at_ns=NOON)
    before = (chain._epoch, chain._seq, chain._hash)
    await chain.append([(NOON, event)])
    chain._epoch, chain._seq, chain._hash = before
    await chain.append([(NOON, event)])
    assert (await chain.verify())[0] == 1


async def test_cancellations_of_a_silent_venue_are_named(desk):
    path = await desk.opened()
    await path.submit(trade_order())
    desk.exchange.rules = PaperRules(outages=((0, 2**62),))
    assert await path.cancel(["o-1", "o-9"]) == ("o-1",)
    assert isinstance(await path.state.venues["paper"].books(), Unreachable)
    assert isinstance(desk.database, Database)
