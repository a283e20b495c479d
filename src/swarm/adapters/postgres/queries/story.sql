-- What `why` and `trace` tell: one need or one mission with everything around it.

-- name: need
select n.*, s.name as swarm_name from need n join swarm s on s.id = n.swarm where n.id = %(need)s

-- name: citations
select origin, citation, source, external, trust, signal, at from citation
where need = %(need)s order by trust desc, origin

-- name: signals
select id, source, at, read_at, body ->> 'title' as title, body ->> 'citation' as citation,
       body ->> 'origin' as origin, body ->> 'author' as author,
       body ->> 'content_hash' as content_hash, (body ->> 'external')::boolean as external
from signal where need = %(need)s order by at, id limit %(limit)s

-- name: merged
select count(*) as texts from alias where need = %(need)s

-- name: missions
select m.id, m.kind, m.parent, m.opened_at, m.ended_at, o.outcome, o.reason, o.detail
from mission m left join outcome o on o.mission = m.id
where m.need = %(need)s order by m.opened_at, m.id

-- name: selection
select x.at, x.idle_reason, pick ->> 1 as reason, pick ->> 2 as detail
from selection x
left join lateral jsonb_array_elements(x.needs) pick on pick ->> 0 = %(need)s
where x.swarm = (select swarm from need where id = %(need)s)

-- name: choice
select s.id, s.namespace, s.name, s.shadow, s.status, x.at, x.idle_reason,
       exists (select from wake w where w.swarm = s.id) as unheard, r.resting, r.rest_ends
from swarm s left join selection x on x.swarm = s.id
cross join lateral (
  select count(*) as resting, min(n.not_before) as rest_ends from need n
  where n.swarm = s.id and n.state = 'open' and n.not_before > now()) r
where s.id = %(swarm)s

-- name: choice_needs
select pick ->> 0 as need, pick ->> 1 as reason, pick ->> 2 as detail, n.title, n.state
from selection x, jsonb_array_elements(x.needs) with ordinality as p (pick, place)
left join need n on n.id = p.pick ->> 0
where x.swarm = %(swarm)s order by p.place

-- name: swarm_holds
select id, mission_class, reason, detail, until, requalified, needs_token from frozen
where swarm = %(swarm)s and lifted_at is null order by since, id

-- name: learned
select seq, at, cause, class_bias, source_trust from learned
where swarm = %(swarm)s order by seq desc limit %(limit)s

-- name: mission
select m.*, greatest(m.risk, (m.standing ->> 'risk')::smallint) as judged_risk,
       s.name as swarm_name, s.namespace from mission m join swarm s on s.id = m.swarm
where m.id = %(mission)s

-- name: family
select id, kind, parent, depth, title, cause, opened_at, ended_at from mission
where parent = %(mission)s or id = (select parent from mission where id = %(mission)s)
order by opened_at, id

-- name: verdicts
select gate, subject, answer, reason, detail, evidence, configured, generation, policy_hash, at
from verdict where mission = %(mission)s order by id

-- name: evidence
select id, kind, at, decision, body from evidence where mission = %(mission)s order by seq

-- name: orders
select key, kind, forward, issued_at, begun_at, due_at, tries, reason, detail, capacity, settled_at
from decision where mission = %(mission)s order by issued_at, key

-- name: approvals
select id, commit, risk, question, asked_at, expires_at, state, approver, reason, answered_at, used_at
from approval where mission = %(mission)s order by asked_at, id

-- name: holds
select f.id, f.mission_class, f.reason, f.detail, f.until, f.requalified, f.needs_token
from frozen f join mission m on m.swarm = f.swarm
where m.id = %(mission)s and f.lifted_at is null and f.mission_class in ('*', m.mission_class)
order by f.since

-- name: outcome
select * from outcome where mission = %(mission)s

-- name: spent
select kind, effect, amount, at from ledger where mission = %(mission)s order by id

-- name: trail
select chain, seq, at, kind, actor, body, hash from trail
where chain = %(chain)s and seq > %(after)s order by seq limit %(limit)s

-- name: head
select trail_seq, trail_hash from mission where id = %(chain)s
union all
select trail_seq, trail_hash from swarm where id = %(chain)s

-- name: chains
-- Every chain that ought to be there, and every one that is.
select id from mission where swarm = %(swarm)s
union select %(swarm)s
union select chain from trail where swarm = %(swarm)s
order by 1

-- name: proof
-- Every event of a chain, and the exact text of the fact that it speaks of, if it does. The join is
-- by the key alone: given the mission as well, a planner that knows nothing yet about a fresh table
-- reads all facts of the mission for each event, and 8,000 events take longer than a statement may.
select t.seq, t.at, t.kind, t.actor, t.body, t.hash,
       case when e.mission = t.chain then e.body::text end
from trail t
left join evidence e on t.kind = 'evidence.seen' and e.id = (t.body::json ->> 'evidence')
where t.chain = %(chain)s order by t.seq

-- name: tail
-- Only transactions older than every running one: whoever follows misses nothing that was begun
-- early and committed late. Swarm by swarm, because only the index on (swarm, tx) is in this order:
-- read across all of them, every part of an export and every look of a follower sorts the whole trail.
select t.chain, t.seq, t.swarm, t.at, t.tx::text as tx, t.kind, t.actor, t.body
from swarm s cross join lateral (
  select * from trail
  where swarm = s.id and (tx, chain, seq) > (%(tx)s::xid8, %(after_chain)s, %(after_seq)s)
    and tx < pg_snapshot_xmin(pg_current_snapshot())
    and (%(since)s::timestamptz is null or at >= %(since)s)
    and (%(until)s::timestamptz is null or at < %(until)s)
  order by tx, chain, seq limit %(limit)s) t
where %(swarm)s::text is null or s.id = %(swarm)s
order by t.tx, t.chain, t.seq limit %(limit)s

-- name: newest
select chain, seq, swarm, at, tx::text as tx, kind, actor, body from (
  select t.* from swarm s cross join lateral (
    select * from trail
    where swarm = s.id and tx < pg_snapshot_xmin(pg_current_snapshot())
    order by tx desc, chain desc, seq desc limit %(limit)s) t
  where %(swarm)s::text is null or s.id = %(swarm)s
  order by t.tx desc, t.chain desc, t.seq desc limit %(limit)s) last
order by last.tx, chain, seq

-- name: recommended
-- What shadow mode would have done, and what became of the need since. Gate 1 rejects needs as
-- well, always with a detail; a person's rejection has none.
with refused as materialized (
  select body::json ->> 'need' as need, at from trail
  where chain = %(swarm)s and kind = 'need.rejected' and body::json -> 'detail' is null)
select m.id as mission, m.need, m.title, m.mission_class, m.risk, m.repo, m.agent, m.opened_at,
       m.rank_terms, n.confidence, n.state, n.state_at, n.state_reason,
       exists (select from refused x where x.need = m.need and x.at > m.opened_at) as turned_down,
       (select o.outcome from outcome o
        where o.need = m.need and o.outcome <> 'recommended' and o.at > m.opened_at
        order by o.at limit 1) as then_outcome
from mission m join outcome r on r.mission = m.id and r.outcome = 'recommended'
left join need n on n.id = m.need
where m.swarm = %(swarm)s and m.opened_at >= %(since)s
order by m.opened_at, m.id

-- name: missed
-- Needs that people carried out while no recommendation named them and no mission did it.
select n.id as need, n.title, n.mission_class, n.confidence, n.state_reason, n.state_at as at
from need n
where n.swarm = %(swarm)s and n.state = 'done' and n.state_at >= %(since)s
  and not exists (select from outcome o where o.need = n.id
                  and o.outcome in ('recommended', 'delivered'))
order by n.state_at, n.id

-- name: movements
-- Every movement in the budget windows that this swarm has a part in: others may share them.
select l.at, l.budget::text, l.mission, l.kind, l.amount, b.cap
from ledger l join budget b on b.id = l.budget
where l.budget in (select o.budget from ledger o join mission m on m.id = o.mission
                   where m.swarm = %(swarm)s)
order by l.at, l.id

-- name: foreign
select id from mission where id = any(%(ids)s::text[]) and swarm <> %(swarm)s

-- name: begun
select key, begun_at from decision where swarm = %(swarm)s and begun_at is not null
