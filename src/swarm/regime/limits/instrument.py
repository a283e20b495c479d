"""What may be traded of one instrument, at which price, how much, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from swarm.regime.limits import checked

SECOND = 1_000_000_000  #: nanoseconds
DAY = 86_400 * SECOND
PPM = 1_000_000  #: shares are whole parts per million: 15,000 is 1.5 %


class ShortSale(StrEnum):
    """What a sale beyond the own position needs."""

    FORBIDDEN = "forbidden"  #: it is refused
    LOCATE = "locate"  #: a located quantity that covers it
    EXEMPT = "exempt"  #: nothing: derivatives and currencies


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRate:
    """At most so many messages in any window of this length; counted are new, changed, cancelled.

    Source: Commission Delegated Regulation (EU) 2017/589 (RTS 6), Article 15(1)(d).
    """

    count: int
    window_ns: int

    def __post_init__(self) -> None:
        checked.whole("messages.count", self.count, least=1, most=100_000)
        checked.whole("messages.window_ns", self.window_ns, least=1, most=DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collar:
    """How far a price may lie from the reference; works for prices at and below zero.

    ticks:            most distance from the reference, in ticks. Always binds.
    share_ppm:        most distance as a share of |reference|; 0 is none. The smaller one binds.
    window_ticks:     most distance from every reference and own price of the window.
    window_ns:        its length.
    max_age_ns:       an older reference is none.

    Source: RTS 6 Article 15(1)(a), "on an order-by-order basis and over a specified period of
    time"; 17 CFR 240.15c3-5(c)(1)(ii).
    """

    ticks: int
    share_ppm: int
    window_ticks: int
    window_ns: int
    max_age_ns: int

    def __post_init__(self) -> None:
        checked.whole("collar.ticks", self.ticks, least=1)
        checked.whole("collar.share_ppm", self.share_ppm, most=PPM)
        checked.whole("collar.window_ticks", self.window_ticks, least=1)
        checked.whole("collar.window_ns", self.window_ns, least=1, most=DAY)
        checked.whole("collar.max_age_ns", self.max_age_ns, least=1, most=DAY)

    def width(self, reference: int) -> int:
        """The most distance in ticks at this reference (not 0), at least one tick."""
        if not self.share_ppm:
            return self.ticks
        return max(1, min(self.ticks, abs(reference) * self.share_ppm // PPM))


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One instrument. An instrument that is not listed cannot be traded at all.

    tick_value:    money of one tick of one lot, in micro-units of the set's currency.
    max_quantity:  lots of one order.        max_notional: money of one order.
    capital:       money that working orders and positions in it may come to, over all accounts.
    status_max_age_ns: an older word of the venue on session and halts is none.
    """

    symbol: str
    sector: str
    tick_value: int
    max_quantity: int
    max_notional: int
    capital: int
    collar: Collar
    messages: MessageRate
    short_sale: ShortSale
    status_max_age_ns: int

    def __post_init__(self) -> None:
        checked.name("instrument.symbol", self.symbol)
        where = f"instrument[{self.symbol}]"
        checked.name(f"{where}.sector", self.sector)
        checked.whole(f"{where}.tick_value", self.tick_value, least=1)
        checked.whole(f"{where}.max_quantity", self.max_quantity, least=1, most=10**12)
        checked.whole(f"{where}.max_notional", self.max_notional, least=1)
        checked.whole(f"{where}.capital", self.capital)
        checked.whole(f"{where}.status_max_age_ns", self.status_max_age_ns, least=1, most=DAY)
