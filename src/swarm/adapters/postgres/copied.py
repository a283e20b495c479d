"""A database that was copied to another server, by pg_dump or by replication of its rows.

The trail is read in the order of its transactions, up to those that have ended. The other server's
numbers mean nothing here: events with later ones than any here would be shown to nobody, and left
out of each export, until this server has counted that far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

#: Seen, and yet of a transaction that this server has not begun: one look into an index per Swarm.
_FROM_ELSEWHERE = """
select exists (
  select from swarm s cross join lateral (
    select tx from trail where swarm = s.id order by tx desc limit 1) newest
  where newest.tx >= pg_snapshot_xmax(pg_current_snapshot()))
"""

#: Behind everything of before, in the same order. A young server has too few numbers for a long
#: trail: then the oldest events share the first one, and are told chain by chain.
_RENUMBER = """
with elsewhere as (
  select chain, seq, dense_rank() over (order by tx desc) as place from trail
  where tx >= pg_snapshot_xmax(pg_current_snapshot())),
here as (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as next)
update trail t set tx = greatest(3, here.next - elsewhere.place)::text::xid8
from elsewhere, here
where t.chain = elsewhere.chain and t.seq = elsewhere.seq
"""


def settle_in(connection: psycopg.Connection[Any]) -> None:
    """Give the events of another server numbers of this one; nothing where there are none."""
    row = connection.execute(_FROM_ELSEWHERE).fetchone()
    if row is not None and row[0]:
        connection.execute(_RENUMBER)
