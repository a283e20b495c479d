"""A paper venue that is started again has the books that it had, to the last number."""

import random

import pytest

from swarm.adapters.paper.journal import JournalledExchange
from swarm.adapters.paper.quoting import quote
from swarm.adapters.paper.rules import PaperRules
from swarm.regime.controls.order import Side
from swarm.testing.trading import NOON, trade_order

RULES = PaperRules(
    seed=3, latency_ns=1_000, jitter_ns=9_000, reject_ppm=100_000, lost_ppm=50_000,
    unheard_ppm=50_000,
)  # fmt: skip


def everything(exchange):
    return exchange.reports, exchange.books_now(), exchange.market()


@pytest.mark.req("REG-10")
@pytest.mark.parametrize("seed", range(5))
def test_a_venue_outlives_its_process(tmp_path, seed):
    chance, now = random.Random(seed), NOON
    exchange = JournalledExchange(["ACME"], tmp_path / "journal", RULES)
    quotes = []
    for number in range(200):
        now += chance.randrange(5_000)
        match chance.randrange(6):
            case 0 | 1:
                side, price = chance.choice(list(Side)), chance.randrange(9_995, 10_006)
                exchange.submit(trade_order(f"o-{number}", side=side, price=price), now)
            case 2:
                exchange.cancel(f"o-{chance.randrange(number + 1)}", now)
            case 3:
                side = chance.choice(list(Side))
                quotes.append(exchange.quote("ACME", side, chance.randrange(9_995, 10_006), 7, now))
            case 4 if quotes:
                exchange.withdraw("ACME", chance.choice(quotes), now)
            case 5 if chance.random() < 0.05:
                exchange.cancel_all(now)
        if chance.random() < 0.1:
            # The process dies in the middle of a line, and the next one goes on.
            exchange.advance(now)
            exchange.close()
            with (tmp_path / "journal").open("ab") as file:
                file.write(b'[17900000000000000, "sub')
            before = everything(exchange)
            exchange = JournalledExchange(["ACME"], tmp_path / "journal", RULES)
            exchange.advance(now)
            assert everything(exchange) == before
    assert len(exchange.reports) > 50
    exchange.close()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"no json", id="no-json"),
        pytest.param(b'[1, "dance"]', id="no-request"),
        pytest.param(b'[1, "submit", {}]', id="no-order"),
        pytest.param(b'[1, "quote", "NONE", "buy", 1, 1]', id="no-instrument"),
        pytest.param(b"{}", id="no-list"),
    ],
)
def test_a_journal_that_is_none_opens_no_venue(tmp_path, line):
    (tmp_path / "journal").write_bytes(line + b"\n")
    with pytest.raises(ValueError, match="line 1"):
        JournalledExchange(["ACME"], tmp_path / "journal")
    assert (tmp_path / "journal").read_bytes() == line + b"\n", "nothing of it was touched"


def test_somebody_always_quotes_both_sides(tmp_path):
    exchange = JournalledExchange(["ACME"], tmp_path / "journal")
    quote(exchange, {"ACME": 10_000}, 2, 100, NOON)
    quote(exchange, {"ACME": 10_000}, 2, 100, NOON)
    lines = (tmp_path / "journal").read_bytes().splitlines()
    assert len(lines) == 2, "what is there is not quoted again"
    exchange.submit(trade_order(quantity=60, price=10_002), NOON)
    quote(exchange, {"ACME": 10_000}, 2, 100, NOON)
    (seen,) = exchange.market()
    assert (seen.bid, seen.ask, seen.last) == (9_998, 10_002, 10_002)
    exchange.submit(trade_order("o-2", quantity=100, price=10_002), NOON)
    assert exchange.books_now().positions[0].position == 160
    exchange.close()
