-- Orders under lease and fence. A lease is only a due time in the future, so a dead owner needs no
-- reaper; the fence is what makes its late writes harmless.

-- name: claim
with due as (
  select d.key
  from decision d join swarm s on s.id = d.swarm
  where d.due_at <= now() and d.kind = any(%(kinds)s)
    and (not d.forward or (
      d.policy_hash = s.policy_hash and not s.shadow and s.deleted_at is null
      and not exists (select from frozen f
                      where f.swarm = d.swarm and f.lifted_at is null
                        and f.mission_class in ('*', d.mission_class))))
  order by d.due_at
  limit %(limit)s
  for no key update of d skip locked)
update decision d
set due_at = now() + %(lease)s, owner = %(owner)s, fence = nextval('fence'), tries = tries + 1
from due
where d.key = due.key
returning d.swarm, d.fence, d.tries, d.issued_at, d.begun_at is not null, d.body::text

-- name: begin
with allowed as (
  update decision d
  set begun_at = coalesce(d.begun_at, now())
  from swarm s, (select begun_at from decision where key = %(key)s) was
  where d.key = %(key)s and d.fence = %(fence)s and d.settled_at is null and s.id = d.swarm
    and (not d.forward or (
      d.policy_hash = s.policy_hash and not s.shadow and s.deleted_at is null
      and not exists (select from frozen f
                      where f.swarm = d.swarm and f.lifted_at is null
                        and f.mission_class in ('*', d.mission_class))))
  returning d.mission, was.begun_at is null as first),
touched as (
  update mission m set revision = revision + 1
  from allowed a where m.id = a.mission and a.first)
select count(*) from allowed

-- name: give_back
with given as (
  select k.key, k.fence from unnest(%(keys)s::text[], %(fences)s::bigint[]) as k (key, fence))
update decision d
set due_at = now(), owner = '', fence = nextval('fence')
from given g
where d.key = g.key and d.fence = g.fence and d.settled_at is null
returning d.key

-- name: heartbeat
update decision d
set due_at = now() + %(lease)s
from unnest(%(keys)s::text[], %(fences)s::bigint[]) as k (key, fence)
where d.key = k.key and d.fence = k.fence and d.settled_at is null
returning d.key

-- name: lock_missions
select id from mission where id = any(%(ids)s) order by id for no key update

-- name: settle
with given as (
  select * from unnest(
    %(keys)s::text[], %(fences)s::bigint[], %(ids)s::text[], %(kinds)s::text[],
    %(ats)s::timestamptz[], %(facts)s::text[], %(events)s::text[])
    as g (key, fence, id, kind, at, fact, event)),
done as (
  update decision d
  set settled_at = now(), due_at = null, owner = '', reason = '', detail = '', capacity = false
  from given g
  where d.key = g.key and d.fence = g.fence and d.settled_at is null
  returning g.*, d.swarm, d.mission),
kept as (
  insert into evidence (id, mission, swarm, decision, kind, at, body)
  select id, mission, swarm, key, kind, at, fact::json from done
  on conflict (id) do nothing),
headed as (
  update mission m
  set version = version + 1, revision = revision + 1, trail_seq = trail_seq + 1,
      trail_hash = link(trail_hash, m.id, trail_seq + 1, now(), 'evidence.seen', %(actor)s, d.event)
  from done d
  where m.id = d.mission
  returning m.id as chain, m.swarm, trail_seq, trail_hash, d.event),
swarm_headed as (
  update swarm s
  set trail_seq = trail_seq + 1,
      trail_hash = link(trail_hash, s.id, trail_seq + 1, now(), 'evidence.seen', %(actor)s, d.event)
  from done d
  where s.id = d.swarm and d.mission = ''
  returning s.id as chain, s.id as swarm, trail_seq, trail_hash, d.event),
told as (
  insert into trail (chain, seq, swarm, at, kind, actor, body, hash)
  select chain, trail_seq, swarm, now(), 'evidence.seen', %(actor)s, event, trail_hash from headed
  union all
  select chain, trail_seq, swarm, now(), 'evidence.seen', %(actor)s, event, trail_hash
  from swarm_headed),
woken as (insert into wake (swarm) select distinct swarm from done)
select key from done

-- name: spend
-- Money leaves the reservation when it is spent, so that the window's figures are true at any time.
-- The ledger's key makes it happen once; what exceeds the reservation is kept as overrun.
with paid as (
  insert into ledger (budget, mission, kind, effect, amount)
  select m.budget, m.id, 'spend', %(effect)s, %(amount)s
  from mission m where m.id = %(mission)s and m.budget is not null
  on conflict (mission, kind, effect) do nothing
  returning budget, mission, amount),
taken as (
  update mission m
  set reserved = m.reserved - least(m.reserved, p.amount)
  from paid p, (select id, reserved from mission where id = %(mission)s) was
  where m.id = p.mission and was.id = m.id
  returning p.budget, p.amount, least(was.reserved, p.amount) as from_reserved)
update budget b
set reserved = b.reserved - t.from_reserved, spent = b.spent + t.amount,
    overrun = greatest(b.overrun, b.reserved - t.from_reserved + b.spent + t.amount - b.cap)
from taken t
where b.id = t.budget

-- name: postpone
with was as (
  select key, reason from decision
  where key = %(key)s and fence = %(fence)s and settled_at is null
  for no key update),
later as (
  update decision d
  set due_at = now() + %(delay)s, owner = '', fence = nextval('fence'),
      reason = %(reason)s, detail = %(detail)s, capacity = %(capacity)s
  from was where d.key = was.key
  returning d.swarm, d.mission, was.reason is distinct from %(reason)s as news),
headed as (
  update mission m
  set revision = revision + 1, version = version + l.news::int, trail_seq = trail_seq + l.news::int,
      trail_hash = case when l.news then
        link(trail_hash, m.id, trail_seq + 1, now(), 'order.waits', %(actor)s, %(event)s)
        else trail_hash end
  from later l
  where m.id = l.mission
  returning m.id as chain, m.swarm, trail_seq, trail_hash, l.news),
told as (
  insert into trail (chain, seq, swarm, at, kind, actor, body, hash)
  select chain, trail_seq, swarm, now(), 'order.waits', %(actor)s, %(event)s, trail_hash
  from headed where news),
woken as (insert into wake (swarm) select swarm from later where news)
select count(*) from later

-- name: heal
-- An owned order whose lease ends later than any lease we grant: the clock was set back.
update decision set due_at = now()
where due_at > now() + %(longest)s and owner <> ''

-- name: hasten
-- A waiting order is worth asking about now; one that somebody works on is left alone.
update decision set due_at = now()
where key = %(key)s and settled_at is null and owner = '' and due_at > now()
