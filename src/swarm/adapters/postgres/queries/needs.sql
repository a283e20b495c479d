-- The backlog. A need's rank is static (core/policy/ranking.py), so the best are one index scan.

-- name: best
-- The best of each class, merged with the learned bias of the class. Ids from the index, and the
-- version of each row (xmin, which no two writes of a row share within four billion transactions), so
-- that a tick reads in full (`whole`) only what changed since its last one. Of a class from which
-- nothing can be taken now, some are read to say why, after all others: a frozen class must not fill
-- the list and starve the rest.
with learned_bias as (
  select pair ->> 0 as mission_class,
         greatest(-%(most)s::float8, least(%(most)s::float8, (pair ->> 1)::float8)) as bias
  from (select class_bias from learned where swarm = %(swarm)s order by seq desc limit 1) newest,
       jsonb_array_elements(newest.class_bias) as pair),
waiting as (
  select t.swarm, t.mission_class,
         t.mission_class <> all(coalesce(%(classes)s::text[], array[t.mission_class]))
         or exists (select from frozen f
                    where f.swarm = t.swarm and f.lifted_at is null
                      and f.mission_class = t.mission_class) as held
  from tally t
  where t.swarm = %(swarm)s and t.open > 0),
chosen as (
  select n.id, t.held, n.rank + coalesce(b.bias, 0) as score
  from waiting t
  left join learned_bias b on b.mission_class = t.mission_class
  cross join lateral (
    select id, rank from need n
    where n.swarm = t.swarm and n.mission_class = t.mission_class and n.state = 'open'
      and (n.not_before is null or n.not_before <= now())
    order by n.rank desc, n.id
    limit case when t.held then least(%(limit)s::int, %(told)s) else %(limit)s::int end) n
  order by t.held, score desc, n.id
  limit %(limit)s)
select n.id, n.xmin::text
from chosen c join need n on n.id = c.id
order by c.held, c.score desc, c.id

-- name: whole
-- With the version of what is read here, which may be newer than the one that was asked for.
select n.id, n.title, n.body, n.mission_class, n.repo, n.paths, n.rule, n.risk, n.value, n.cost,
  n.confidence, n.citations, n.cited, n.external, n.signals, n.heat, n.rank, n.first_seen,
  n.last_seen, n.state, n.not_before, n.rounds, n.own_rounds, n.origins,
  n.heard,
  -- Of a need that an older release wrote, nobody has said it yet.
  coalesce(n.anchored, exists (
    select from citation k
    where k.need = n.id and k.citation <> '' and (not k.external or k.trust >= %(trusted)s))),
  n.xmin::text
from need n where n.id = any(%(ids)s::text[]) and n.state = 'open'

-- name: lock
select id, state, mission_class, title, body, rule, rounds, own_rounds, signals
from need where id = any(%(ids)s::text[]) order by id for no key update

-- name: take
update need set state = 'taken', state_at = %(at)s, state_reason = '', rounds = rounds + %(round)s,
  not_before = null
where id = %(id)s

-- name: state
update need set state = %(state)s, state_at = %(at)s, state_reason = %(reason)s,
  not_before = %(not_before)s
where id = %(id)s

-- name: reject
update need n
set state = 'rejected', state_at = %(at)s, state_reason = g.reason, not_before = null
from unnest(%(ids)s::text[], %(reasons)s::text[]) as g (id, reason)
where n.id = g.id

-- name: count
-- Last in its transaction, so that nobody waits long for these few rows.
insert into tally as t (swarm, mission_class, open)
select %(swarm)s, g.mission_class, g.change
from unnest(%(classes)s::text[], %(changes)s::bigint[]) as g (mission_class, change)
order by g.mission_class
on conflict (swarm, mission_class) do update set open = t.open + excluded.open
