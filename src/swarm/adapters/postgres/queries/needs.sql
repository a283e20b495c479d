-- The backlog. A need's rank is static (core/policy/ranking.py), so the best are one index scan.

-- name: best
-- The best of each class that could be taken, merged with the learned bias of the class. Each with the
-- version of its row (xmin, which no two writes of a row share within four billion transactions), so
-- that a tick reads in full (`whole`) only what changed since its last one. What nothing in the need
-- itself will change is left out here (as in core/loop/select.py): two hundred of a frozen class, of a
-- repository that is not allowed, of a rule that no agent takes must not fill the list and starve the
-- rest. Of these some are read to say why, after all others. What is asked of every candidate stands
-- in the rank's index, so that only those that are chosen are read at all: for their version.
with learned_bias as (
  select pair ->> 0 as mission_class,
         greatest(-%(most)s::float8, least(%(most)s::float8, (pair ->> 1)::float8)) as bias
  from (select class_bias from learned where swarm = %(swarm)s order by seq desc limit 1) newest,
       jsonb_array_elements(newest.class_bias) as pair),
takers as (
  select * from json_to_recordset(coalesce(%(takers)s::json, '[{}]'))
    as a (classes text[], rules text[])),
dark as materialized (
  select exists (select from source where swarm = %(swarm)s and dark_since is not null
                 and name = any(%(named)s::text[])) as any),
waiting as (
  select t.swarm, t.mission_class, coalesce(b.bias, 0) as bias, k.rules, dark.any as dark,
         k.taken and not exists (
           select from frozen f
           where f.swarm = t.swarm and f.lifted_at is null and f.mission_class = t.mission_class
         ) as free
  from tally t
  left join learned_bias b on b.mission_class = t.mission_class
  cross join dark
  cross join lateral (                                  -- rules: null where an agent takes any
    select count(*) > 0 as taken,
           case when bool_and(a.rules is not null) then array_agg(rule) end as rules
    from takers a left join unnest(a.rules) as rule on true
    where a.classes is null or t.mission_class = any(a.classes)) k
  where t.swarm = %(swarm)s and t.open > 0),
chosen as (
  select n.id, n.barred, n.rank + w.bias as score
  from waiting w
  cross join lateral (
    (select id, rank, false as barred from need n
     where n.swarm = w.swarm and n.mission_class = w.mission_class and n.state = 'open'
       and (n.not_before is null or n.not_before <= now())
       and (%(repos)s::text[] is null or n.repo = any(%(repos)s::text[]))
       and (w.rules is null or n.rule = any(w.rules))
       and (n.risk < 2 or not w.dark)
     order by n.rank desc, n.id
     limit case when w.free then %(limit)s::int else 0 end)
    union all
    (select id, rank, true
     from (select id, rank, repo, rule, risk from need n
           where n.swarm = w.swarm and n.mission_class = w.mission_class and n.state = 'open'
             and (n.not_before is null or n.not_before <= now())
           order by n.rank desc, n.id
           limit least(%(limit)s::int, %(told)s::int)) n
     where not (w.free
       and (%(repos)s::text[] is null or n.repo = any(%(repos)s::text[]))
       and (w.rules is null or n.rule = any(w.rules))
       and (n.risk < 2 or not w.dark)))) n
  order by n.barred, score desc, n.id
  limit %(limit)s)
select n.id, n.xmin::text
from chosen c join need n on n.id = c.id
order by c.barred, c.score desc, c.id

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
