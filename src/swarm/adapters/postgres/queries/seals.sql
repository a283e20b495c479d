-- Seals: signed roots over the heads of all chains that grew.

-- name: unsealed
-- Swarms with events that no seal knows, in one read; the index on (swarm, tx) finds the first one.
-- Only transactions older than every running one: what is sealed can be followed by nothing older.
select s.id
from swarm s
cross join lateral (select (
  select (body::json ->> 'upto')::xid8 from seal where swarm = s.id order by seq desc limit 1
)) last (upto)
where exists (
  select from trail t
  where t.swarm = s.id
    and t.tx >= case when last.upto <= pg_snapshot_xmax(pg_current_snapshot())
                     then last.upto else '0'::xid8 end
    and t.tx < pg_snapshot_xmin(pg_current_snapshot()))
order by s.id

-- name: lock
select pg_advisory_xact_lock(hashtextextended(%(swarm)s, 2))

-- name: last
select seq, body, key, signature from seal
where swarm = %(swarm)s order by seq desc limit 1

-- name: heads
-- The newest event of each chain that grew since. A database that was copied to another server has
-- seals from a later transaction than any here: then everything is sealed once more.
with last as (select (
  select (body::json ->> 'upto')::xid8 from seal
  where swarm = %(swarm)s order by seq desc limit 1) as upto)
select now(), pg_snapshot_xmin(pg_current_snapshot())::text, t.chain, t.seq, t.hash
from (select chain, max(seq) as seq from trail, last
      where swarm = %(swarm)s
        and tx >= case when last.upto <= pg_snapshot_xmax(pg_current_snapshot())
                       then last.upto else '0'::xid8 end
        and tx < pg_snapshot_xmin(pg_current_snapshot())
      group by chain) grown
join trail t using (chain, seq)
order by t.chain

-- name: add
insert into seal (swarm, seq, at, body, leaves, key, signature)
values (%(swarm)s, %(seq)s, %(at)s, %(body)s, %(leaves)s, %(key)s, %(signature)s)

-- name: some
select seq, body, leaves, key, signature from seal
where swarm = %(swarm)s and seq > %(after)s order by seq limit %(limit)s

-- name: hashes
select t.chain, t.seq, t.hash
from unnest(%(chains)s::text[], %(seqs)s::bigint[]) as leaf (chain, seq)
join trail t on t.chain = leaf.chain and t.seq = leaf.seq
