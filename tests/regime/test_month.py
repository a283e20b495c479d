"""A quant month on the paper venue, held against what the contract promises.

Whatever the seed draws: no rung is skipped, a breach steps down at once, what fades loses its
capital, nothing is traded through a venue that does not answer, and a freeze ends in its order.
"""

from __future__ import annotations

import pytest

from swarm.adapters.postgres.store.trading.chain import GateChain
from swarm.regime.nouns import LADDER
from swarm.runtime.month.desk import OUT_DAY, THIN_DAY, HeldRecords, lived
from swarm.runtime.month.experts import FADES_AT_DAY
from swarm.runtime.month.market import BARS

LABELS = [rung.label for rung in LADDER]
MONTH = 21


async def desk(folder, seed=1, days=MONTH, records=None):
    return await lived(seed, days, folder, records or HeldRecords(), lambda _: None)


def told(lived_through, kind, words=""):
    return [one for one in lived_through.told if one.kind == kind and words in one.text]


def steps(lived_through):
    """Every move on the ladder: (day, bar, strategy, rung before, rung after, why)."""
    for one in told(lived_through, "rung", "->"):
        name, move, why = one.text.split(": ")
        before, after = move.split(" -> ")
        yield one.day, one.bar, name, LABELS.index(before), LABELS.index(after), why


def never_skips_a_rung(lived_through):
    stands = {}
    for _, _, name, before, after, why in steps(lived_through):
        assert stands.get(name, 0) == before
        assert after <= before + 1
        assert (after > before) == (why == "climbed")
        stands[name] = after


@pytest.mark.slow
@pytest.mark.req("REG-7", "REG-8", "FRZ-5")
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_month_goes_as_the_contract_says(tmp_path, seed):
    month = await desk(tmp_path, seed)
    never_skips_a_rung(month)
    # The published regime is the drawn one at the close of most days.
    right = sum(day.regime == day.truth for day in month.days)
    assert right >= 2 * MONTH / 3
    # Each change of regime is told with its reasons and with what the votes were.
    changes = told(month, "regime", " -> ")
    assert len({one.text.split(": ")[0].split(" -> ")[1] for one in changes}) >= 4
    for one in changes:
        reasons, votes = one.text.split(": ", 1)[1].split("; ")
        assert reasons
        assert "the filter holds" in votes
        assert "the run of" in votes
    # A limit breaks on the first thin day on which somebody trades: frozen, and everybody in
    # shadow, at that very bar.
    (frozen,) = told(month, "freeze")
    traded = next(day.day for day in month.days if day.accepted and day.day >= THIN_DAY)
    assert frozen.day == traded
    assert "slippage_ppm" in frozen.text
    fell = [one for one in steps(month) if (one[0], one[1]) == (frozen.day, frozen.bar)]
    assert fell
    assert all(after == 0 for *_, after, _ in fell)
    assert month.days[frozen.day].posture == "frozen"
    assert set(month.days[frozen.day].shares.values()) == {0.0}
    # Back in order: shadow for a day and a window, then one percent, which holds out, then free.
    probing, lifted = told(month, "resume")
    assert probing.day > frozen.day
    assert probing.bar < 12, "inside the morning's window"
    first_after = next(s for s in steps(month) if (s[0], s[1]) > (probing.day, probing.bar))
    assert first_after[3:5] == (0, 1)
    assert (lifted.day, lifted.bar) > first_after[:2]
    between = [s for s in steps(month) if (probing.day, 0) <= s[:2] <= (lifted.day, lifted.bar)]
    assert all(after <= 1 for *_, after, _ in between), "one percent is the ceiling until then"
    # What fades is bet against, and falls to shadow in one step.
    lost = [s for s in steps(month) if s[5] == "worse-than-baseline"]
    assert [(name, after) for _, _, name, _, after, _ in lost] == [("carry", 0)]
    assert lost[0][0] >= FADES_AT_DAY
    # The venue drops out in the middle of trading: told, what is wanted meanwhile is refused for
    # prices that are too old, and the books agree when it is back.
    gone, back, compared = told(month, "venue")
    assert (gone.day, back.day) == (OUT_DAY, OUT_DAY)
    out = month.days[OUT_DAY]
    assert out.accepted
    assert out.refused, "nobody wanted to trade while it was out"
    (first,) = (one for one in told(month, "refused") if one.day == OUT_DAY)
    assert gone.bar <= first.bar < back.bar
    assert "control 2, ReferenceStale" in first.text, "as everywhere else"
    assert "too old" in first.text
    assert "0 differences" in compared.text
    assert not month.path.state.ledger.breaks
    assert await month.path.agree() == (), "what it says it holds is what the venue says"
    assert all(day.equity is not None for day in month.days)
    # Caution is caution: in stress the desk is defensive and holds a quarter at most.
    stressed = next(day for day in month.days if day.truth == "stressed-liquidity")
    assert stressed.posture == "defensive"
    assert sum(stressed.shares.values()) <= 0.25


@pytest.mark.req("REG-7")
async def test_a_short_month_is_the_same_again_and_begins_in_shadow(tmp_path):
    first, again = await desk(tmp_path, days=2), await desk(tmp_path, days=2)
    assert first.digest() == again.digest()
    assert len(first.days) == 2
    assert {rung for day in first.days for rung in day.rungs.values()} == {"shadow"}
    assert first.days[0].accepted == first.days[1].accepted == 0


@pytest.mark.slow
@pytest.mark.req("REG-10")
async def test_every_decision_of_the_gate_is_in_its_chain_and_the_chain_holds(tmp_path, database):
    month = await desk(tmp_path, days=THIN_DAY + 4, records=GateChain(database, "desk", "month"))
    asked = sum(day.accepted + day.refused for day in month.days)
    assert asked > 0
    records = await GateChain(database, "desk", "reader").read()
    decided = [one for one in records if type(one).__name__ == "Decided"]
    assert len(decided) == asked
    assert BARS * len(month.days) > asked
