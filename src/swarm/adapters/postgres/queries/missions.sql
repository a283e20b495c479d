-- Missions with everything that decide may know about them.

-- name: open
select id, revision from mission where swarm = %(swarm)s and ended_at is null order by opened_at, id

-- name: open_among
-- Which of these still want their work done. A deleted swarm's missions want nothing any more.
select m.id from mission m join swarm s on s.id = m.swarm
where m.id = any(%(ids)s::text[]) and m.ended_at is null and s.deleted_at is null

-- name: load
-- The open missions that are not known in their newest version. One statement, so that a mission, its
-- version and its facts are of one instant.
select m.id, m.revision, m.version, m.need, m.kind, m.parent, m.depth, m.mission_class, m.risk,
  m.repo, m.title, m.body, m.rule, m.agent, m.requalifies, m.opened_at, m.reserved,
  m.cause, m.contract::text, m.standing::text,
  (select json_agg(e.body order by e.seq) from evidence e where e.mission = m.id)::text,
  (select json_agg(json_build_object(
      'id', a.id, 'mission', a.mission, 'commit', a.commit, 'policy_hash', a.policy_hash,
      'approver', a.approver, 'reason', a.reason, 'granted', a.state <> 'denied',
      'at', a.answered_at, 'expires_at', a.expires_at) order by a.answered_at, a.id)
   from approval a where a.mission = m.id and a.state in ('granted', 'denied', 'used'))::text,
  (select json_agg(json_build_array(a.commit, a.policy_hash))
   from approval a
   where a.mission = m.id and a.state in ('open', 'granted', 'denied', 'used'))::text,
  (select json_agg(json_build_object(
      'key', d.key, 'kind', d.kind, 'issued_at', d.issued_at, 'begun', d.begun_at is not null,
      'begun_at', d.begun_at,
      -- Work under way is no waiting: only what cannot be asked, or has no capacity, says why.
      'waits_because', case when d.capacity then d.reason || ': ' || d.detail else '' end,
      'spent', d.spent, 'next_try', case when d.capacity then d.due_at end) order by d.issued_at, d.key)
   from decision d where d.mission = m.id and d.settled_at is null)::text,
  (select json_agg(json_build_array(v.gate, v.subject, json_build_object(
      'answer', v.answer, 'reason', v.reason, 'detail', v.detail, 'evidence', v.evidence,
      'look_again', v.look_again, 'configured', v.configured)) order by v.gate, v.subject)
   from (select distinct on (gate, subject) * from verdict
         where mission = m.id order by gate, subject, id desc) v)::text,
  (select array_agg(distinct c.source order by c.source) from citation c where c.need = m.need),
  -- What is risky is only begun while this still says what it said.
  case when m.risk >= 2 then (
    select json_agg(json_build_object(
        'origin', k.origin, 'citation', k.citation, 'source', k.source, 'external', k.external,
        'trust', k.trust, 'title', coalesce(s.body ->> 'title', ''),
        'body', left(coalesce(s.body ->> 'body', ''), 4000)) order by k.trust desc, k.origin)
    from need n
    join citation k on k.need = n.id and k.origin = any(n.origins) and k.citation <> ''
    left join signal s on s.id = k.signal
    where n.id = m.need) end::text
from mission m
where m.swarm = %(swarm)s and m.ended_at is null
  and not exists (
    select from unnest(%(known)s::text[], %(revisions)s::bigint[]) as k (id, revision)
    where k.id = m.id and k.revision = m.revision)

-- name: lock
select id, need, kind, mission_class, budget, reserved, opened_at, trail_seq, trail_hash, standing::text,
       shadow, ended_at
from mission where id = any(%(ids)s::text[]) order by id for no key update

-- name: insert
insert into mission (id, swarm, need, kind, parent, depth, mission_class, risk, repo, title, body,
  rule, agent, cause, requalifies, contract, rank_terms, generation, policy_hash, shadow, budget,
  reserved, opened_at)
values (%(id)s, %(swarm)s, %(need)s, %(kind)s, %(parent)s, %(depth)s, %(mission_class)s, %(risk)s,
  %(repo)s, %(title)s, %(body)s, %(rule)s, %(agent)s, %(cause)s, %(requalifies)s,
  %(contract)s::jsonb, %(rank_terms)s::jsonb, %(generation)s, %(policy_hash)s, %(shadow)s,
  %(budget)s, %(reserved)s, %(opened_at)s)
on conflict do nothing

-- name: text_of_parent
select body, rule from mission where id = %(id)s

-- name: advance
-- Heads and standings of all missions that one tick touched, in one statement.
update mission m
set trail_seq = g.seq, trail_hash = g.hash, revision = m.revision + 1,
    version = m.version + g.versions,
    standing = coalesce(g.standing::jsonb, m.standing)
from unnest(%(ids)s::text[], %(seqs)s::bigint[], %(hashes)s::bytea[], %(versions)s::int[],
            %(standings)s::text[]) as g (id, seq, hash, versions, standing)
where m.id = g.id

-- name: end
-- At once, not with the rest: a repair of the same tick takes over the need.
update mission set ended_at = %(at)s, reserved = 0 where id = %(id)s

-- name: issue
insert into decision (key, swarm, mission, mission_class, kind, forward, policy_hash, body,
  issued_at, due_at)
select g.key, %(swarm)s, g.mission, g.mission_class, g.kind, g.forward, g.policy_hash,
       g.body::jsonb, %(at)s, %(at)s
from unnest(%(keys)s::text[], %(missions)s::text[], %(classes)s::text[], %(kinds)s::text[],
            %(forwards)s::boolean[], %(policies)s::text[], %(bodies)s::text[])
     as g (key, mission, mission_class, kind, forward, policy_hash, body)
on conflict (key) do nothing
returning key

-- name: lock_orders
select key from decision
where mission = any(%(ids)s::text[]) and settled_at is null and forward
order by key for update

-- name: unheard
-- Runs that were begun and whose end nobody will hear, and what each is charged. The orders are
-- locked, so none ends meanwhile. What a run told of is only what it had spent by then, so it is
-- charged no less than what it was expected to cost; one that waits for capacity is not at work.
select key, amount
from (select key, case when capacity then spent else greatest(spent, %(each)s) end as amount
      from decision
      where mission = %(mission)s and kind = 'start-run' and settled_at is null
        and begun_at is not null) begun
where amount > 0
order by key

-- name: drop_orders
-- An ended mission begins nothing more; what protects goes on.
delete from decision
where mission = any(%(ids)s::text[]) and settled_at is null and forward
returning mission, key

-- name: void_order
-- Not begun, or nobody has it in hand while it waits for capacity. What was spent on it would be
-- forgotten with it. Its row is locked already.
delete from decision
where key = %(key)s and settled_at is null
  and (begun_at is null or (capacity and owner = '' and spent = 0))

-- name: give_verdicts
insert into verdict (mission, gate, subject, answer, reason, detail, evidence, configured,
  look_again, generation, policy_hash, at)
select g.mission, v.gate, v.subject, v.answer, v.reason, v.detail, v.evidence, v.configured,
  g.look_again, v.generation, v.policy_hash, g.at
from unnest(%(missions)s::text[], %(verdicts)s::text[], %(ats)s::timestamptz[],
            %(looks)s::timestamptz[]) with ordinality as g (mission, verdict, at, look_again, n)
cross join lateral json_to_record(g.verdict::json) as v (
  gate text, subject text, answer int, reason text, detail text, evidence text[],
  configured boolean, generation bigint, policy_hash text)
order by g.n

-- name: ask
insert into approval (id, mission, swarm, commit, policy_hash, risk, question, asked_at, expires_at)
values (%(id)s, %(mission)s, %(swarm)s, %(commit)s, %(policy_hash)s, %(risk)s, %(question)s,
  %(at)s, %(expires_at)s)
on conflict (id) do update
set asked_at = excluded.asked_at, expires_at = excluded.expires_at, question = excluded.question,
    state = 'open', approver = '', reason = '', answered_at = null, used_at = null
where approval.state in ('expired', 'void')
  or (approval.state = 'used' and approval.expires_at <= excluded.asked_at)

-- name: use
update approval set state = 'used', used_at = %(at)s
where id = %(id)s and state = 'granted' and expires_at > %(at)s

-- name: approval_state
select state from approval where id = %(id)s

-- name: outcome
-- Its cost is all that was spent on it, also by a run whose end came while its ending was decided.
insert into outcome (mission, swarm, need, mission_class, kind, outcome, reason, detail, attempts,
  cost, counts_as_failure, landed, autonomous, predicted_cost, seconds, at)
select m.id, m.swarm, m.need, m.mission_class, m.kind, %(outcome)s, %(reason)s, %(detail)s,
  %(attempts)s,
  greatest(%(cost)s, (select sum(amount) from ledger l where l.mission = m.id and l.kind = 'spend')),
  %(counts)s, %(landed)s,
  not exists (select from approval a where a.mission = m.id)
    and not exists (select from evidence e where e.mission = m.id and e.kind = 'person-said'),
  coalesce((select amount from ledger l where l.mission = m.id and l.kind = 'reserve'), 0),
  extract(epoch from %(at)s - m.opened_at), %(at)s
from mission m where m.id = %(mission)s
on conflict (mission) do nothing
returning cost

-- name: reserve
with carried as (
  update budget set reserved = reserved + %(amount)s
  where id = %(budget)s and reserved + spent + %(amount)s <= cap
  returning id),
noted as (
  insert into ledger (budget, mission, kind, effect, amount)
  select id, %(mission)s, 'reserve', 'opened', %(amount)s from carried)
select count(*) from carried

-- name: release
with noted as (
  insert into ledger (budget, mission, kind, effect, amount)
  values (%(budget)s, %(mission)s, 'release', 'settled', %(amount)s)
  on conflict (mission, kind, effect) do nothing
  returning budget, amount),
freed as (
  update budget b set reserved = b.reserved - n.amount from noted n where b.id = n.budget
  returning b.namespace, b.name)
insert into wake (swarm)                        -- whoever could not pay may now; this one ticks anyway
select s.id from freed f join swarm s on s.namespace = f.namespace and s.deleted_at is null
where s.spec #>> '{risk,budgetRef}' = f.name
  and s.id <> (select swarm from mission where id = %(mission)s)

-- name: landed
select distinct on (body ->> 'repo') body ->> 'repo', body ->> 'commit'
from evidence
where kind = 'landed' and (body ->> 'landed')::boolean and swarm = any(%(swarms)s)
order by body ->> 'repo', seq desc

-- name: deny
insert into denied (swarm, target, revision, mission, at)
values (%(swarm)s, %(target)s, %(revision)s, %(mission)s, %(at)s)
on conflict do nothing

-- name: freeze
insert into frozen (id, swarm, mission_class, reason, detail, cause, since, until, needs_token, by)
select %(id)s, %(swarm)s, %(mission_class)s, %(reason)s, %(detail)s, %(cause)s, %(since)s,
  %(until)s, %(needs_token)s, %(by)s
where not exists (select from frozen where id = %(id)s)
on conflict (swarm, mission_class) where lifted_at is null do update
set until = case when frozen.until is null or excluded.until is null then null
                 else greatest(frozen.until, excluded.until) end,
    reason = excluded.reason, detail = excluded.detail, cause = excluded.cause,
    needs_token = frozen.needs_token or excluded.needs_token,
    requalified = null, requalified_at = null, extended_at = excluded.since
returning id, until, xmax = 0 as fresh

-- name: frozen_as
select mission_class, reason, cause from frozen where id = %(id)s

-- name: lift
-- With its proof still there: whoever extends a freeze while a tick decides takes the proof away.
update frozen set lifted_at = %(at)s, lifted_by = %(by)s
where id = %(id)s and swarm = %(swarm)s and lifted_at is null and requalified is not null
returning mission_class

-- name: requalify
-- Unless its scope was frozen once more since that mission began: what it saw is from before.
update frozen set requalified = %(mission)s, requalified_at = %(at)s
where id = %(id)s and swarm = %(swarm)s and lifted_at is null and requalified is null
  and (extended_at is null or extended_at < %(began)s)
returning mission_class

-- name: learn
insert into learned (swarm, seq, at, cause, class_bias, source_trust)
select %(swarm)s, coalesce(max(seq), 0) + 1, %(at)s, %(cause)s, %(class_bias)s::jsonb,
  %(source_trust)s::jsonb
from learned where swarm = %(swarm)s
returning seq
