"""The kill switch: halt first, cancel everywhere, loud about what does not answer. Control 13."""

import asyncio
import resource

import pytest

from swarm.adapters.paper.exchange import PaperExchange
from swarm.adapters.paper.rules import PaperRules
from swarm.adapters.paper.venue import PaperVenue
from swarm.contract.errors import Unavailable
from swarm.ports.venue import Unreachable
from swarm.regime.controls.decision import Ruling
from swarm.regime.controls.errors import TokenRefused
from swarm.regime.controls.events import Closed, Killed, Unanswered
from swarm.regime.controls.order import Side
from swarm.regime.limits.instrument import SECOND
from swarm.regime.nouns import Regime
from swarm.runtime.trading.errors import KillFileUnreadable, KillFileUnwritable, NothingToUndo
from swarm.runtime.trading.kill import insist, working
from swarm.runtime.trading.kill_file import KillFile
from swarm.testing.trading import NOON, trade_order

pytestmark = pytest.mark.req("REG-10")


class Gone:
    """Records whose database went away at some moment, for good."""

    def __init__(self, chain):
        self.chain = chain
        self.gone = False

    async def open(self):
        if self.gone:
            raise Unavailable("gone")
        return await self.chain.open()

    async def append(self, records):
        if self.gone:
            raise Unavailable("gone")
        await self.chain.append(records)


async def test_a_kill_halts_and_cancels_and_says_so(desk):
    path = await desk.opened()
    for number in range(5):
        await path.submit(trade_order(f"o-{number}"))
    report = await path.kill(scope="*", by="tom", reason="odd fills")
    assert set(report.asked) == {f"o-{number}" for number in range(5)}
    assert report.failed == ()
    assert report.unfiled == ""
    standing = await path.confirm("*")
    assert standing.working == ()
    assert len(standing.acknowledged) == 5
    refused = await path.submit(trade_order("o-9"))
    assert [one.reason for one in refused.refusals] == ["Killed"]


async def test_a_kill_sells_nothing(desk):
    """Control 14: what is held stays held."""
    path = await desk.opened()
    desk.exchange.quote("ACME", Side.SELL, 10_000, 10, desk.now)
    desk.exchange.quote("ACME", Side.BUY, 9_990, 99, desk.now)
    await path.submit(trade_order())
    await path.kill(scope="*", by="tom", reason="r")
    await path.confirm("*")
    assert path.state.ledger.accounts.cell("main", "ACME").held == 10
    assert desk.exchange.books_now().positions[0].position == 10


@pytest.mark.parametrize(
    ("scope", "gone"),
    [
        ("strategy:drift", {"o-1"}),
        ("account:spare", {"o-3"}),
        ("venue:paper", {"o-1", "o-2", "o-3"}),
        ("trader:tom", {"o-1", "o-2", "o-3"}),
        ("venue:elsewhere", set()),
    ],
)
async def test_a_kill_holds_its_scope_and_no_more(desk, scope, gone):
    path = await desk.opened()
    await path.submit(trade_order("o-1"))
    await path.submit(trade_order("o-2", strategy="mean"))
    await path.submit(trade_order("o-3", strategy="mean", account="spare"))
    await path.kill(scope=scope, by="watch", reason="r")
    assert set((await path.confirm(scope)).acknowledged) == gone
    assert {one.order for one in desk.exchange.books_now().working} == {"o-1", "o-2", "o-3"} - gone


@pytest.mark.parametrize("who", ["bot", "mallory", ""])
async def test_agents_and_strangers_stop_nothing(desk, who):
    path = await desk.opened()
    with pytest.raises(TokenRefused):
        await path.kill(scope="*", by=who, reason="r")
    assert path.state.ledger.kills == {}


async def test_a_kill_works_while_the_database_is_down_and_survives_a_restart(desk):
    records = Gone(desk.chain())
    path = await desk.opened(records=records)
    await path.submit(trade_order())
    records.gone = True
    report = await path.kill(scope="*", by="tom", reason="r")
    assert (await path.confirm("*")).working == ()
    assert desk.exchange.books_now().working == ()
    assert path.state.unwritten
    # The process dies; the kill is in no record, and still the next one knows it.
    again = await desk.opened()
    assert report.kill in again.state.ledger.kills
    assert [one.reason for one in (await again.submit(trade_order("o-2"))).refusals] == ["Killed"]
    kinds = [type(one) for one in await desk.chain().open()]
    assert kinds.count(Killed) == 1


async def test_records_follow_when_the_database_is_back(desk):
    records = Gone(desk.chain())
    path = await desk.opened(records=records)
    records.gone = True
    await path.kill(scope="*", by="tom", reason="r")
    assert await path.state.catch_up() is False
    records.gone = False
    assert await path.state.catch_up() is True
    assert path.state.unwritten == []
    assert await path.close() is True
    assert [type(one) for one in await desk.chain().open()] == [Killed]


async def test_a_venue_that_does_not_answer_is_named_and_trading_is_stopped_all_the_same(desk):
    path = await desk.opened()
    await path.submit(trade_order())
    desk.exchange.rules = PaperRules(outages=((0, desk.now + SECOND),))
    report = await path.kill(scope="*", by="tom", reason="r")
    assert [name for name, _ in report.failed] == ["paper"]
    assert report.asked == ()
    assert (await path.submit(trade_order("o-2"))).ruling is Ruling.REJECT
    assert (await path.confirm("*")).silent == ("paper",)
    # It answers again: confirming asks once more, until nothing works.
    desk.now += 2 * SECOND
    assert (await path.confirm("*")).working == ("o-1",)
    assert (await path.confirm("*")).working == ()


async def test_a_venue_that_stays_dark_is_asked_all_the_time_and_recorded_once_a_minute(desk):
    """Ten minutes at four times a second: the first silence, and one word of it each minute."""
    asked = []

    class Listening(PaperVenue):
        async def cancel(self, orders):
            asked.append(orders)
            return await super().cancel(orders)

    venue = Listening("paper", desk.exchange, desk.clock)
    path = await desk.opened(venues={"paper": venue})
    await path.submit(trade_order())
    desk.exchange.rules = PaperRules(outages=((0, desk.now + 600 * SECOND),))
    await path.kill(scope="strategy:drift", by="tom", reason="r")
    (event,) = path.state.ledger.kills.values()
    for _ in range(2_399):
        desk.now += SECOND // 4
        await insist(path.state, event)
        await path.state.catch_up()
    assert len(asked) == 2_400
    kept = [one for one in await desk.chain().read() if isinstance(one, Unanswered)]
    assert [(one.at_ns - NOON) // SECOND for one in kept] == [60 * n for n in range(10)]
    # The first answer is taken at once: nothing works any more, and that is on record.
    desk.now += SECOND
    await insist(path.state, event)
    await path.follow()
    assert working(path.state, event.scope) == ()
    assert any(isinstance(one, Closed) for one in await desk.chain().read())
    # Only what is written counts, so a restart finds the same share.
    again = await desk.opened(venues={"paper": venue})
    shares = [
        one.state.measures.metrics(one.state.ledger, desk.limits, Regime.TREND, desk.now)
        for one in (path, again)
    ]
    assert shares[0].errors_ppm == shares[1].errors_ppm == 10 * 1_000_000 // 20


async def test_one_deaf_venue_does_not_delay_the_others(desk):
    path = await desk.opened()
    other = PaperExchange(["ACME"])
    asked = asyncio.Event()

    class Slow(PaperVenue):
        async def cancel(self, orders):
            await asked.wait()
            return Unreachable(detail="no answer")

        async def cancel_all(self):
            return Unreachable(detail="no answer")

    class Prompt(PaperVenue):
        async def cancel_all(self):
            said = await super().cancel_all()
            asked.set()  # the slow one is only answered once this one was asked
            return said

    path.state.venues = {
        "dark": Slow("dark", other, desk.clock),
        "paper": Prompt("paper", desk.exchange, desk.clock),
    }
    await path.submit(trade_order())
    other.submit(trade_order("o-2", venue="dark"), desk.now)
    report = await path.kill(scope="*", by="tom", reason="r")
    assert [name for name, _ in report.failed] == ["dark"]
    assert desk.exchange.books_now().working == ()


async def test_an_order_that_passed_the_gate_before_the_kill_is_not_sent_after_it(desk):
    path = await desk.opened()

    class Slow:
        """A database that takes its time to write the decision."""

        def __init__(self):
            self.writing, self.go_on = asyncio.Event(), asyncio.Event()

        async def append(self, records):
            self.writing.set()
            await self.go_on.wait()

    slow = path.state.records = Slow()
    sending = asyncio.create_task(path.submit(trade_order()))
    await slow.writing.wait()
    killing = asyncio.create_task(path.kill(scope="*", by="tom", reason="r"))
    report = await killing  # it waits for no database
    slow.go_on.set()
    await sending
    assert report.asked == ()
    assert desk.exchange.reports == []
    assert path.state.ledger.doubts == {"paper": ("o-1",)}


async def test_orders_of_a_process_that_died_are_cancelled_too(desk):
    path = await desk.opened()
    desk.exchange.submit(trade_order("ghost"), desk.now)
    await path.kill(scope="*", by="tom", reason="r")
    assert desk.exchange.books_now().working == ()


async def test_only_a_persons_token_lifts_a_kill(desk):
    path = await desk.opened()
    report = await path.kill(scope="*", by="watch", reason="r")
    for by in ("tom", "bot", "watch", "eve"):
        with pytest.raises(TokenRefused):
            await path.undo(*desk.token("lift-kill", report.kill, by=by))
    token, _ = desk.token("lift-kill", report.kill)
    with pytest.raises(TokenRefused):
        await path.undo(token, desk.token("lift-kill", report.kill)[1])
    with pytest.raises(NothingToUndo):
        await path.undo(*desk.token("lift-kill", "k-other"))
    with pytest.raises(NothingToUndo):
        await path.undo(*desk.token("sign-limits", "k-other"))
    token, signature = desk.token("lift-kill", report.kill)
    await path.undo(token, signature)
    assert (await path.submit(trade_order())).ruling is Ruling.ACCEPT
    second = await path.kill(scope="*", by="tom", reason="again")
    with pytest.raises((TokenRefused, NothingToUndo)):
        await path.undo(token, signature)
    assert second.kill in (await desk.opened()).state.ledger.kills


async def test_a_lifted_kill_stays_lifted_over_a_restart(desk):
    path = await desk.opened()
    report = await path.kill(scope="*", by="tom", reason="r")
    await path.undo(*desk.token("lift-kill", report.kill))
    assert (await desk.opened()).state.ledger.kills == {}
    (desk.folder / "kills").unlink()
    desk.kill_file.add(
        Killed(kill=report.kill, scope="*", by="tom", reason="r", at_ns=report.halted_ns)
    )
    assert (await desk.opened()).state.ledger.kills == {}


async def test_an_undoing_that_cannot_be_written_does_not_happen(desk):
    records = Gone(desk.chain())
    path = await desk.opened(records=records)
    report = await path.kill(scope="*", by="tom", reason="r")
    records.gone = True
    with pytest.raises(Unavailable):
        await path.undo(*desk.token("lift-kill", report.kill))
    assert report.kill in path.state.ledger.kills


async def test_a_kill_file_that_cannot_be_read_keeps_the_path_closed(desk):
    (desk.folder / "kills").write_bytes(b'{"kill":"k-1"')
    path = desk.path()
    with pytest.raises(KillFileUnreadable):
        await path.open()
    assert not path.state.opened


async def test_a_kill_that_no_disk_takes_still_holds_and_says_so(desk):
    path = await desk.opened()
    path.state.kill_file = KillFile(desk.folder / "none" / "kills")
    report = await path.kill(scope="*", by="tom", reason="r")
    assert "none" in report.unfiled
    assert (await path.submit(trade_order())).ruling is Ruling.REJECT
    with pytest.raises(KillFileUnwritable):
        path.state.kill_file.add(next(iter(path.state.ledger.kills.values())))


def test_a_kill_of_which_the_disk_took_only_a_part_is_not_filed(tmp_path):
    file = KillFile(tmp_path / "kills")
    one = Killed(kill="k-1", scope="*", by="tom", reason="r", at_ns=1)
    file.add(one)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "kills").stat().st_size + 20, hard))
    try:
        with pytest.raises(KillFileUnwritable, match="only a part"):
            file.add(one)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_half_written_line_spoils_itself_alone(tmp_path):
    file = KillFile(tmp_path / "kills")
    one = Killed(kill="k-1", scope="*", by="tom", reason="a\nb", at_ns=1)
    file.add(one)
    assert file.read() == (one,)
    with (tmp_path / "kills").open("ab") as handle:
        handle.write(b'{"kill":')
    file.add(one)
    with pytest.raises(KillFileUnreadable):
        file.read()
