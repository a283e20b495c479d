"""The promises of `ports.venue.Venue`."""

# ruff: noqa: S101 - a suite asserts
from __future__ import annotations

import asyncio
from typing import Protocol

import pytest

from swarm.ports.venue import Dispatched, Report, ReportKind, Unreachable, Venue, VenueBooks
from swarm.regime.controls.order import Side, TradeOrder
from swarm.testing.trading import trade_order


class VenueWorld(Protocol):
    """A venue that trades ACME, with nobody else there, and a client of it."""

    def port(self) -> Venue:
        """A new client, as after a restart, or as another process."""

    async def quote(self, side: Side, price: int, quantity: int) -> None:
        """Somebody else wants to trade."""

    async def settle(self) -> None:
        """Everything that was sent has arrived."""

    async def take_away(self) -> None:
        """Nobody reaches the venue."""

    async def give_back(self) -> None:
        """It can be reached again; what it knew it still knows."""


async def _reports(world: VenueWorld, after: int = 0) -> list[Report]:
    await world.settle()
    said = await world.port().reports(after)
    assert not isinstance(said, Unreachable)
    return list(said)


async def _books(world: VenueWorld) -> VenueBooks:
    await world.settle()
    said = await world.port().books()
    assert not isinstance(said, Unreachable)
    return said


def _kinds(reports: list[Report]) -> list[tuple[str, str]]:
    return [(report.order, report.kind.value) for report in reports]


class VenueContract:
    """Inherit it and provide a fixture `world` that is a `VenueWorld`."""

    @pytest.mark.req("REG-10")
    async def test_an_order_id_is_taken_once(self, world: VenueWorld) -> None:
        """Whoever sends it, and how often."""
        ports = [world.port() for _ in range(3)]
        await asyncio.gather(*(port.submit(trade_order()) for port in ports * 2))
        assert _kinds(await _reports(world)) == [("o-1", "accepted")]
        assert [one.remaining for one in (await _books(world)).working] == [10]

    async def test_another_order_under_a_taken_id_is_none(self, world: VenueWorld) -> None:
        """The first one stands."""
        await world.port().submit(trade_order())
        await world.port().submit(trade_order(quantity=99))
        assert [one.remaining for one in (await _books(world)).working] == [10]

    async def test_price_then_time(self, world: VenueWorld) -> None:
        """The best price first, and of equal prices the first that came; at the resting price."""
        port = world.port()
        for id_, price in (("o-1", 9_990), ("o-2", 9_995), ("o-3", 9_995)):
            await port.submit(trade_order(id_, price=price))
            await world.settle()
        await world.quote(Side.SELL, 9_980, 25)
        fills = [one for one in await _reports(world) if one.kind is ReportKind.FILLED]
        assert [(one.order, one.quantity, one.price, one.remaining) for one in fills] == [
            ("o-2", 10, 9_995, 0),
            ("o-3", 10, 9_995, 0),
            ("o-1", 5, 9_990, 5),
        ]
        books = await _books(world)
        assert [(one.symbol, one.position) for one in books.positions] == [("ACME", 25)]
        assert [(one.order, one.remaining) for one in books.working] == [("o-1", 5)]

    async def test_a_part_is_filled_at_once_and_the_rest_waits(self, world: VenueWorld) -> None:
        """And each part has an id of its own."""
        await world.quote(Side.SELL, 9_999, 3)
        await world.quote(Side.SELL, 10_000, 4)
        await world.port().submit(trade_order())
        reports = await _reports(world)
        assert [one.quantity for one in reports] == [0, 3, 4]
        assert [one.price for one in reports] == [0, 9_999, 10_000]
        assert len({one.execution for one in reports}) == len(reports)

    async def test_reports_are_numbered_and_asking_again_gives_the_same(
        self, world: VenueWorld
    ) -> None:
        """A drop copy is the same report to another reader."""
        port = world.port()
        for number in range(5):
            await port.submit(trade_order(f"o-{number}"))
        first = await _reports(world)
        assert [one.seq for one in first] == [1, 2, 3, 4, 5]
        assert await _reports(world) == first
        assert await _reports(world, 3) == first[3:]
        assert await _reports(world, 99) == []

    async def test_a_cancellation_ends_what_is_left(self, world: VenueWorld) -> None:
        """And one that comes too late is told so; an unknown id has nobody to tell."""
        port = world.port()
        await port.submit(trade_order())
        await world.settle()
        await world.quote(Side.SELL, 10_000, 4)
        assert isinstance(await port.cancel(["o-1", "o-9"]), Dispatched)
        await world.settle()
        await port.cancel(["o-1"])
        assert [kind for _, kind in _kinds(await _reports(world))] == [
            "accepted", "filled", "cancelled", "cancel-rejected",
        ]  # fmt: skip
        assert (await _books(world)).working == ()

    async def test_everything_can_be_cancelled_at_once(self, world: VenueWorld) -> None:
        """Also by a client that knows of none of it; other people's orders stay."""
        await world.quote(Side.BUY, 9_000, 7)
        for number in range(20):
            await world.port().submit(trade_order(f"o-{number}", price=9_900 + number))
        await world.settle()
        assert isinstance(await world.port().cancel_all(), Dispatched)
        assert (await _books(world)).working == ()
        market = await world.port().market()
        assert not isinstance(market, Unreachable)
        assert {one.symbol: one.bid for one in market}["ACME"] == 9_000  # noqa: PLR2004

    async def test_an_order_takes_the_place_of_another(self, world: VenueWorld) -> None:
        """In one step: there is no moment with both."""
        port = world.port()
        await port.submit(trade_order())
        await port.submit(trade_order("o-2", replaces="o-1", price=9_999))
        await port.submit(trade_order("o-3", replaces="o-1"))
        assert _kinds(await _reports(world)) == [
            ("o-1", "accepted"), ("o-1", "replaced"), ("o-2", "accepted"), ("o-3", "rejected"),
        ]  # fmt: skip

    async def test_what_is_not_traded_is_rejected(self, world: VenueWorld) -> None:
        """With a reason, and nothing works."""
        order: TradeOrder = trade_order(symbol="NOPE")
        await world.port().submit(order)
        (report,) = await _reports(world)
        assert report.kind is ReportKind.REJECTED
        assert report.detail

    @pytest.mark.req("FAIL-6")
    async def test_a_venue_that_is_away_says_nothing(self, world: VenueWorld) -> None:
        """Neither yes nor no; and it remembers what it knew."""
        port = world.port()
        await port.submit(trade_order())
        await world.settle()
        await world.take_away()
        for said in (
            await port.submit(trade_order("o-2")),
            await port.cancel_all(),
            await port.reports(0),
            await port.books(),
            await port.market(),
        ):
            assert isinstance(said, Unreachable)
        await world.give_back()
        assert _kinds(await _reports(world)) == [("o-1", "accepted")]
