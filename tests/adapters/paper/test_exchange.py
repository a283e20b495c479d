"""What the paper venue can do to its clients, each on purpose and each the same way again."""

import asyncio

import pytest

from swarm.adapters.paper.exchange import PaperExchange
from swarm.adapters.paper.rules import PaperRules
from swarm.adapters.paper.venue import PaperVenue
from swarm.ports.venue import ReportKind, Unreachable
from swarm.regime.controls.order import Side
from swarm.testing.trading import NOON, trade_order

pytestmark = pytest.mark.req("REG-10")
MS = 1_000_000


def run(rules, count=300):
    """Orders a millisecond apart, crossing each other; gives the venue."""
    venue = PaperExchange(["ACME"], rules)
    heard = []
    for number in range(count):
        side = Side.BUY if number % 2 else Side.SELL
        order = trade_order(f"o-{number}", side=side, price=10_000 + number % 7)
        heard.append(venue.submit(order, NOON + number * MS))
    venue.advance(NOON + 10**9)
    return venue, heard


ROUGH = PaperRules(
    seed=7, latency_ns=MS, jitter_ns=20 * MS, reject_ppm=50_000, lost_ppm=50_000,
    unheard_ppm=50_000,
)  # fmt: skip


def test_the_same_rules_and_requests_give_the_same_reports():
    one, two = run(ROUGH), run(ROUGH)
    assert one[0].reports == two[0].reports
    assert one[1] == two[1]
    assert run(PaperRules(seed=8, jitter_ns=20 * MS))[0].reports != one[0].reports


def test_rough_rules_do_everything_that_they_say():
    venue, heard = run(ROUGH)
    taken = {report.order for report in venue.reports}
    silent = [f"o-{number}" for number, said in enumerate(heard) if not said]
    assert [one for one in silent if one in taken], "no request arrived unheard"
    assert [one for one in silent if one not in taken], "no request was lost"
    kinds = {report.kind for report in venue.reports}
    assert {ReportKind.ACCEPTED, ReportKind.REJECTED, ReportKind.FILLED} <= kinds
    order = [report.order for report in venue.reports if report.kind is ReportKind.ACCEPTED]
    assert order != sorted(order, key=lambda one: int(one[2:])), "jitter reordered nothing"


def test_lots_are_neither_made_nor_lost():
    venue, _ = run(ROUGH)
    traded = [one for one in venue.reports if one.kind is ReportKind.FILLED]
    assert sum(one.quantity * one.side.sign for one in traded) == 0
    last = {one.order: one.remaining for one in venue.reports}
    for order, left in last.items():
        done = sum(one.quantity for one in traded if one.order == order)
        rejected = any(
            one.order == order and one.kind is ReportKind.REJECTED for one in venue.reports
        )
        assert done + left == (0 if rejected else 10)


def test_a_request_is_late_by_the_latency():
    venue = PaperExchange(["ACME"], PaperRules(latency_ns=5 * MS))
    venue.submit(trade_order(), NOON)
    venue.advance(NOON + 5 * MS - 1)
    assert venue.reports == []
    venue.advance(NOON + 5 * MS)
    assert venue.reports[0].at_ns == NOON + 5 * MS


@pytest.mark.parametrize("stop", ["halt", "close"])
def test_while_nothing_trades_orders_are_rejected_and_the_old_ones_stay(stop):
    venue = PaperExchange(["ACME"])
    venue.submit(trade_order(), NOON)
    if stop == "halt":
        venue.halt("ACME", NOON)
    else:
        venue.session(NOON, is_open=False)
    venue.submit(trade_order("o-2", side=Side.SELL), NOON)
    assert [one.kind for one in venue.reports] == [ReportKind.ACCEPTED, ReportKind.REJECTED]
    assert len(venue.books_now().working) == 1
    venue.cancel("o-1", NOON)
    assert venue.books_now().working == ()


def test_somebody_elses_quote_can_be_withdrawn():
    venue = PaperExchange(["ACME"])
    quote = venue.quote("ACME", Side.SELL, 9_990, 5, NOON)
    venue.withdraw("ACME", quote, NOON)
    venue.submit(trade_order(), NOON)
    assert [one.kind for one in venue.reports] == [ReportKind.ACCEPTED]


async def test_an_outage_has_a_beginning_and_an_end():
    times = iter([NOON, NOON + 1, NOON + 2])
    rules = PaperRules(outages=((NOON + 1, NOON + 2),))
    port = PaperVenue("paper", PaperExchange(["ACME"], rules), lambda: next(times))
    said = [isinstance(await port.market(), Unreachable) for _ in range(3)]
    assert said == [False, True, False]


async def test_hostile_lines_are_silence_and_harm_nobody(socket_ground):
    reader, writer = await asyncio.open_unix_connection(socket_ground.path)
    for line in (b"", b"{", b"[]", b'{"do":"submit","with":{"id":7}}', b'{"do":"what"}',
                 b'{"do":"reports","with":"x"}', b"\xff\xfe"):  # fmt: skip
        writer.write(line + b"\n")
        assert await reader.readline() == b"null\n"
    writer.close()
    assert not isinstance(await socket_ground.port().market(), Unreachable)
