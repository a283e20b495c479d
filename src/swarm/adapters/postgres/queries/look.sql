-- What people look at. Every statement takes swarm (null: all of them), like (a prefix of an id or
-- name; '' is all) and limit, and names its columns.

-- name: swarms
select id, namespace, name, generation, shadow, deleted_at is not null as deleted, created_at,
       due_at, spec ->> 'mode' as mode, status, spec, written, metadata
from swarm
where (%(swarm)s::text is null or id = %(swarm)s) and starts_with(name, %(like)s)
  and (deleted_at is null or %(swarm)s::text is not null)
order by namespace, name limit %(limit)s

-- name: streams
select distinct on (stream) stream as name, record ->> 'id' as state,
       record ->> 'posture' as title, version, tick
from regime_state where starts_with(stream, %(like)s)
order by stream, version desc limit %(limit)s

-- name: needs
select n.id, n.swarm, n.state, n.title, n.mission_class, n.repo, n.rule, n.paths, n.risk,
       n.value, n.cost, n.confidence, n.citations, n.cited, n.external, n.signals, n.heat, n.rank,
       n.first_seen, n.last_seen, n.not_before, n.rounds, n.own_rounds, n.origins, n.state_reason,
       n.state_at
from need n
where (%(swarm)s::text is null or n.swarm = %(swarm)s) and starts_with(n.id, %(like)s)
  and (%(state)s::text is null or n.state = %(state)s)
order by n.rank desc, n.id limit %(limit)s

-- name: classes
-- Every class that a need of it was ever seen of.
select mission_class as name from tally
where (%(swarm)s::text is null or swarm = %(swarm)s) order by open desc, mission_class
limit %(limit)s

-- name: missions
select m.id, m.swarm, m.need, m.kind, m.parent, m.mission_class, m.repo, m.title, m.agent,
       greatest(m.risk, (m.standing ->> 'risk')::smallint) as risk, m.risk as declared_risk,
       m.cause, m.shadow, m.opened_at, m.ended_at, m.reserved,
       coalesce(o.outcome, 'open') as outcome, coalesce(o.reason, m.standing ->> 'reason') as reason,
       coalesce(o.detail, m.standing ->> 'detail') as detail, m.standing ->> 'room' as room,
       (m.standing ->> 'since')::timestamptz as since, m.standing ->> 'next_action' as next_action,
       (m.standing ->> 'look_again')::timestamptz as look_again, o.cost, o.attempts, o.landed
from mission m left join outcome o on o.mission = m.id
where (%(swarm)s::text is null or m.swarm = %(swarm)s) and starts_with(m.id, %(like)s)
  and (%(state)s::text is null
       or (%(state)s = 'open' and m.ended_at is null) or o.outcome = %(state)s)
order by m.ended_at is not null, m.opened_at desc, m.id limit %(limit)s

-- name: runs
select id, mission, swarm, attempt, agent, issued_at, begun_at, settled_at, waits_because, result,
       detail, cost, seconds
from run
where (%(swarm)s::text is null or swarm = %(swarm)s)
  and (starts_with(id, %(like)s) or starts_with(mission, %(like)s))
order by issued_at desc, id limit %(limit)s

-- name: changes
-- The view reads the text of each fact; only the newest are wanted, so they are chosen before it does.
select c.*
from (select mission, seq from evidence
      where kind in ('run-ended', 'restaged') and (%(swarm)s::text is null or swarm = %(swarm)s)
        and (%(like)s = '' or starts_with(mission, %(like)s)
             or starts_with(body -> 'change' ->> 'head', %(like)s))
      order by seq desc) newest
cross join lateral
  (select mission, swarm, at, made_by, repo, branch, base, head, paths, lines_added, lines_removed
   from change c where c.mission = newest.mission and c.seq = newest.seq offset 0) c
order by newest.seq desc limit %(limit)s

-- name: gates
-- From the newest verdict back, each that no later one of its gate and subject took the place of.
select v.mission, m.swarm, v.gate, v.subject, v.answer, v.reason, v.detail, v.evidence,
       v.configured, v.look_again, v.generation, v.policy_hash, v.at
from verdict v join mission m on m.id = v.mission
where starts_with(v.mission, %(like)s) and (%(swarm)s::text is null or m.swarm = %(swarm)s)
  and not exists (select from verdict later where later.mission = v.mission
                  and later.gate = v.gate and later.subject = v.subject and later.id > v.id)
order by v.id desc limit %(limit)s

-- name: rollouts
select mission, swarm, at, target, revision, step_kind, step, percent
from rollout
where (%(swarm)s::text is null or swarm = %(swarm)s)
  and (starts_with(mission, %(like)s) or starts_with(target, %(like)s))
order by seq desc limit %(limit)s

-- name: freezes
select id, swarm, mission_class, reason, detail, cause, since, until, needs_token, by, requalified,
       requalified_at, lifted_at, lifted_by
from frozen
where (%(swarm)s::text is null or swarm = %(swarm)s) and starts_with(id, %(like)s)
  and (%(state)s::text is null or (lifted_at is null) = (%(state)s = 'open'))
order by lifted_at is not null, since desc, id limit %(limit)s

-- name: approvals
select a.id, a.swarm, a.mission, a.commit, a.policy_hash, a.risk, a.question, a.asked_at,
       a.expires_at, a.state, a.approver, a.reason, a.answered_at, a.used_at, m.title
from approval a join mission m on m.id = a.mission
where (%(swarm)s::text is null or a.swarm = %(swarm)s)
  and (starts_with(a.id, %(like)s) or starts_with(a.mission, %(like)s))
  and (%(state)s::text is null or a.state = %(state)s)
order by a.state <> 'open', a.asked_at desc, a.id limit %(limit)s

-- name: budgets
select b.namespace, b.name, b.window_start, b.window_end, b.cap, b.reserved, b.spent, b.overrun,
       b.cap - b.reserved - b.spent as left, now() < b.window_end as current
from budget b
where starts_with(b.name, %(like)s)
  and (%(swarm)s::text is null or (b.namespace, b.name)
       = (select namespace, spec #>> '{risk,budgetRef}' from swarm where id = %(swarm)s))
order by b.window_start desc, b.namespace, b.name limit %(limit)s

-- name: spenders
select l.mission, m.swarm, m.title, m.agent, m.mission_class,
       sum(l.amount) filter (where l.kind = 'spend')::bigint as spent, m.reserved
from ledger l join mission m on m.id = l.mission
where (%(swarm)s::text is null or m.swarm = %(swarm)s) and starts_with(l.mission, %(like)s)
group by l.mission, m.swarm, m.title, m.agent, m.mission_class, m.reserved
order by 6 desc nulls last, 1 limit %(limit)s

-- name: sources
select s.swarm, s.name, s.cursor, s.read_at, s.dark_since, s.detail,
       (select max(g.read_at) from signal g where g.swarm = s.swarm and g.source = s.name) as last_news
from source s
where (%(swarm)s::text is null or s.swarm = %(swarm)s) and starts_with(s.name, %(like)s)
order by s.swarm, s.name limit %(limit)s

-- name: signals
-- The bodies of those alone that are shown: reading all of two hundred thousand took five seconds.
select id, swarm, need, source, at, read_at, body ->> 'title' as title,
       body ->> 'citation' as citation, body ->> 'origin' as origin, body ->> 'author' as author,
       (body ->> 'external')::boolean as external, (body ->> 'trust')::float8 as trust
from (
  select * from signal
  where (%(swarm)s::text is null or swarm = %(swarm)s)
    and (starts_with(id, %(like)s) or need = %(like)s)
  order by read_at desc, id limit %(limit)s) newest
order by read_at desc, id

-- name: orders
select key, swarm, mission, kind, forward, issued_at, begun_at, due_at, owner, tries, reason,
       detail, capacity, settled_at
from decision
where (%(swarm)s::text is null or swarm = %(swarm)s) and starts_with(key, %(like)s)
  and (%(state)s::text is null or (settled_at is null) = (%(state)s = 'open'))
order by settled_at is not null, issued_at desc, key limit %(limit)s

-- name: outcomes
select o.mission, o.swarm, o.need, o.mission_class, o.kind, o.outcome, o.reason, o.detail,
       o.attempts, o.cost, o.predicted_cost, o.seconds, o.counts_as_failure, o.landed,
       o.autonomous, o.at, m.title, greatest(m.risk, (m.standing ->> 'risk')::smallint) as risk
from outcome o join mission m on m.id = o.mission
where (%(swarm)s::text is null or o.swarm = %(swarm)s) and starts_with(o.mission, %(like)s)
order by o.at desc, o.mission limit %(limit)s

-- name: evidence
select id, mission, swarm, decision, kind, at, body
from evidence
where (%(swarm)s::text is null or swarm = %(swarm)s) and starts_with(mission, %(like)s)
order by seq desc limit %(limit)s

-- name: accounts
-- What a window says beside what its missions and its ledger add up to; they are written in the same
-- transactions, so any difference is a fault.
select b.namespace, b.name, b.window_start, b.reserved, b.spent,
       (select coalesce(sum(m.reserved), 0) from mission m
        where m.budget = b.id and m.ended_at is null)::bigint as reserved_by_missions,
       (select coalesce(sum(l.amount), 0) from ledger l
        where l.budget = b.id and l.kind = 'spend')::bigint as spent_by_ledger
from budget b
order by b.window_start desc, b.namespace, b.name limit %(limit)s

-- name: by_prefix
-- Ids are compared by bytes, so a prefix is a range of each primary key.
select kind, id from (
  (select 'swarm' as kind, id from swarm where id >= %(like)s and id < %(end)s limit 9)
  union all (select 'need', id from need where id >= %(like)s and id < %(end)s limit 9)
  union all (select 'mission', id from mission where id >= %(like)s and id < %(end)s limit 9)
  union all (select 'freeze', id from frozen where id >= %(like)s and id < %(end)s limit 9)
  union all (select 'approval', id from approval where id >= %(like)s and id < %(end)s limit 9)
  union all (select 'signal', id from signal where id >= %(like)s and id < %(end)s limit 9)
  union all (select 'evidence', id from evidence where id >= %(like)s and id < %(end)s limit 9)
  ) found
where %(kind)s::text is null or kind = %(kind)s
limit 9

-- name: by_commit
select distinct mission from (
  select mission from evidence
  where kind in ('landed', 'reverted') and (body ->> 'commit') collate "C" >= %(like)s
    and (body ->> 'commit') collate "C" < %(end)s
  union all
  select mission from evidence
  where kind in ('run-ended', 'restaged') and (body -> 'change' ->> 'head') collate "C" >= %(like)s
    and (body -> 'change' ->> 'head') collate "C" < %(end)s
  ) found
limit 9

-- name: swarm_named
select id from swarm where namespace = %(namespace)s and name = %(name)s
