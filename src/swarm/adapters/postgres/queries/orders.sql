-- Orders under lease and fence. A lease is only a due time in the future, so a dead owner needs no
-- reaper; the fence is what makes its late writes harmless.
--
-- A fence is the time of its claim in microseconds, and more than any earlier fence of its order: so
-- it repeats neither for an order that was voided and issued again, nor after a crash of the server.
-- That lets claims and the like commit without waiting for the disk (`unhurried`): a crash may forget
-- them, then the order is claimed again, and the first holder's fence does not fit any more. Facts
-- always wait for the disk.
--
-- Whoever locks several orders locks them by key, and before their missions.

-- What was begun may have happened outside, so another policy does not keep it from being asked
-- about. Nor do a freeze and shadow mode where nobody else would learn of it: a landed change would go
-- unwatched, and an agent at work past its end and its cost. It is then claimed as lapsed: whoever has
-- it asks, and lands and starts nothing. Traffic is voided instead (see tick.lapse_policy): its mission
-- is watched anyway, and decides it anew.

-- name: claim
-- kinds is `,one,another,`: one text is sent at a tenth of the cost of an array, and the planner
-- guesses nothing from it that would make it sort everything due instead of reading the index.
with unhurried as materialized (select set_config('synchronous_commit', 'off', true)),
due as (
  select d.key, d.forward and (d.policy_hash <> s.policy_hash or h.held) as lapsed
  from decision d join swarm s on s.id = d.swarm,
    lateral (select s.shadow or exists (select from frozen f
                                        where f.swarm = d.swarm and f.lifted_at is null
                                          and f.mission_class in ('*', d.mission_class))) h (held)
  where d.due_at <= now() and position(',' || d.kind || ',' in %(kinds)s) > 0
    and (not d.forward or (
      s.deleted_at is null
      and (d.policy_hash = s.policy_hash
           or (d.begun_at is not null and d.kind not in ('set-traffic', 'promote')))
      and ((d.begun_at is not null and d.kind in ('land', 'start-run')) or not h.held)))
  order by d.due_at
  limit (select %(limit)s::int)                      -- hidden, so that one plan serves every limit
  for no key update of d skip locked)
update decision d
set due_at = now() + make_interval(secs => %(lease)s), owner = %(owner)s, tries = tries + 1,
    fence = greatest(fence + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint)
from due, unhurried
where d.key = due.key
returning d.swarm, d.fence, d.tries, d.issued_at, d.begun_at is not null, due.lapsed, d.body::text

-- name: begin
with unhurried as materialized (select set_config('synchronous_commit', 'off', true)),
allowed as (
  update decision d
  set begun_at = coalesce(d.begun_at, now())
  from unhurried, swarm s, (select begun_at from decision where key = %(key)s) was
  where d.key = %(key)s and d.fence = %(fence)s and d.settled_at is null and s.id = d.swarm
    and (not d.forward or (
      (d.policy_hash = s.policy_hash or %(lapsed)s) and s.deleted_at is null
      and ((%(lapsed)s and d.kind in ('land', 'start-run')) or (
        not s.shadow
        and not exists (select from frozen f
                        where f.swarm = d.swarm and f.lifted_at is null
                          and f.mission_class in ('*', d.mission_class))))))
  returning d.mission, was.begun_at is null as first),
touched as (
  update mission m set revision = revision + 1
  from allowed a where m.id = a.mission and a.first)
select count(*) from allowed

-- name: may_begin
select from decision d join swarm s on s.id = d.swarm
where d.key = %(key)s and d.settled_at is null
  and (not d.forward or (not s.shadow and s.deleted_at is null
    and not exists (select from frozen f
                    where f.swarm = d.swarm and f.lifted_at is null
                      and f.mission_class in ('*', d.mission_class))))

-- name: void
-- Begun, lapsed, and it never happened: taken back, so that it can be decided anew.
with gone as (
  delete from decision
  where key = %(key)s and fence = %(fence)s and settled_at is null and forward
  returning key, swarm, mission),
headed as (
  update mission m
  set version = version + 1, revision = revision + 1, trail_seq = trail_seq + 1,
      trail_hash = link(trail_hash, m.id, trail_seq + 1, now(), 'order.voided', %(actor)s,
                        %(event)s)
  from gone
  where m.id = gone.mission
  returning m.id as chain, m.swarm, trail_seq, trail_hash),
told as (
  insert into trail (chain, seq, swarm, at, kind, actor, body, hash)
  select chain, trail_seq, swarm, now(), 'order.voided', %(actor)s, %(event)s, trail_hash
  from headed),
woken as (insert into wake (swarm) select swarm from gone)
select key from gone

-- name: give_back
with held as (
  select d.key
  from decision d join unnest(%(keys)s::text[], %(fences)s::bigint[]) as k (key, fence)
    on d.key = k.key and d.fence = k.fence
  where d.settled_at is null
  order by d.key for no key update of d)
update decision d
set due_at = now(), owner = '', fence = d.fence + 1
from held
where d.key = held.key
returning d.key

-- name: heartbeat
with unhurried as materialized (select set_config('synchronous_commit', 'off', true)),
held as (
  select d.key
  from decision d join unnest(%(keys)s::text[], %(fences)s::bigint[]) as k (key, fence)
    on d.key = k.key and d.fence = k.fence
  where d.settled_at is null
  order by d.key for no key update of d)
update decision d
set due_at = now() + make_interval(secs => %(lease)s)
from held, unhurried
where d.key = held.key
returning d.key

-- name: settle
-- One order of a mission, one statement, one round trip. Scalars, so that the server keeps one plan.
with done as (
  update decision
  set settled_at = now(), due_at = null, owner = '', reason = '', detail = '', capacity = false
  where key = %(key)s and fence = %(fence)s and settled_at is null
  returning key, swarm, mission),
kept as (
  insert into evidence (id, mission, swarm, decision, kind, at, body)
  select %(id)s, mission, swarm, key, %(kind)s, %(at)s, %(fact)s::json from done
  on conflict (id) do nothing),
headed as (
  update mission m
  set version = version + 1, revision = revision + 1, trail_seq = trail_seq + 1,
      trail_hash = link(trail_hash, m.id, trail_seq + 1, now(), 'evidence.seen', %(actor)s,
                        %(event)s)
  from done
  where m.id = done.mission
  returning m.id as chain, m.swarm, trail_seq, trail_hash),
told as (
  insert into trail (chain, seq, swarm, at, kind, actor, body, hash)
  select chain, trail_seq, swarm, now(), 'evidence.seen', %(actor)s, %(event)s, trail_hash
  from headed),
woken as (insert into wake (swarm) select swarm from done)
select key from done

-- name: close
-- Many at once: the fences first, then the heads, then everything that follows from them.
with held as (
  select d.key
  from decision d join unnest(%(keys)s::text[], %(fences)s::bigint[]) as k (key, fence)
    on d.key = k.key and d.fence = k.fence
  where d.settled_at is null
  order by d.key for no key update of d)
update decision d
set settled_at = now(), due_at = null, owner = '', reason = '', detail = '', capacity = false
from held
where d.key = held.key
returning d.key, d.mission, d.swarm, now()

-- name: heads
select id, trail_seq, trail_hash from mission
where id = any(%(ids)s::text[]) order by id for no key update

-- name: swarm_heads
select id, trail_seq, trail_hash from swarm
where id = any(%(ids)s::text[]) order by id for no key update

-- name: keep
insert into evidence (id, mission, swarm, decision, kind, at, body)
select g.id, g.mission, g.swarm, g.key, g.kind, g.at, g.fact::json
from unnest(%(ids)s::text[], %(missions)s::text[], %(swarms)s::text[], %(keys)s::text[],
            %(kinds)s::text[], %(ats)s::timestamptz[], %(facts)s::text[])
     as g (id, mission, swarm, key, kind, at, fact)
on conflict (id) do nothing

-- name: advance
update mission m
set version = version + g.facts, revision = revision + g.facts, trail_seq = g.seq,
    trail_hash = g.hash
from unnest(%(ids)s::text[], %(facts)s::int[], %(seqs)s::bigint[], %(hashes)s::bytea[])
     as g (id, facts, seq, hash)
where m.id = g.id

-- name: advance_swarms
update swarm s set trail_seq = g.seq, trail_hash = g.hash
from unnest(%(ids)s::text[], %(seqs)s::bigint[], %(hashes)s::bytea[]) as g (id, seq, hash)
where s.id = g.id

-- name: wake
insert into wake (swarm) select unnest(%(swarms)s::text[])

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
  returning p.budget, p.amount, least(was.reserved, p.amount) as from_reserved),
figures as (
  update budget b
  set reserved = b.reserved - t.from_reserved, spent = b.spent + t.amount,
      overrun = greatest(b.overrun, b.reserved - t.from_reserved + b.spent + t.amount - b.cap)
  from taken t
  where b.id = t.budget
  returning b.namespace, b.name, b.reserved + b.spent > b.cap and b.window_end > now() as overdrawn)
insert into wake (swarm)                               -- whoever has agents at work at its expense
select distinct m.swarm
from figures f join budget b on b.namespace = f.namespace and b.name = f.name
  join mission m on m.budget = b.id and m.ended_at is null
where f.overdrawn

-- name: postpone
-- Work under way is no news; that something cannot be asked, or can again, is.
with unhurried as materialized (select set_config('synchronous_commit', 'off', true)),
was as (
  select key, capacity, reason from decision
  where key = %(key)s and fence = %(fence)s and settled_at is null
  for no key update),
later as (
  update decision d
  set due_at = now() + make_interval(secs => %(delay)s), owner = '', fence = d.fence + 1,
      reason = %(reason)s, detail = %(detail)s, capacity = %(capacity)s,
      spent = greatest(d.spent, %(spent)s)
  from was, unhurried where d.key = was.key
  returning d.swarm, d.mission,
    (was.capacity or %(capacity)s)
    and (was.capacity, was.reason) is distinct from (%(capacity)s, %(reason)s) as news),
headed as (
  update mission m
  set revision = revision + 1, version = version + 1, trail_seq = trail_seq + 1,
      trail_hash = link(trail_hash, m.id, trail_seq + 1, now(), 'order.waits', %(actor)s, %(event)s)
  from later l
  where m.id = l.mission and l.news
  returning m.id as chain, m.swarm, trail_seq, trail_hash),
told as (
  insert into trail (chain, seq, swarm, at, kind, actor, body, hash)
  select chain, trail_seq, swarm, now(), 'order.waits', %(actor)s, %(event)s, trail_hash
  from headed),
woken as (insert into wake (swarm) select swarm from later where news)
select count(*) from later

-- name: inherit
-- What dead controllers hold. Read by due time: what is due already, anybody may claim anyway.
with held as (
  select key from decision
  where due_at > now() and owner = any(%(dead)s::text[]) and settled_at is null
  order by key for no key update)
update decision d
set due_at = now(), owner = '', fence = d.fence + 1
from held
where d.key = held.key
returning d.key

-- name: heal
-- An owned order whose lease ends later than any lease we grant: the clock was set back.
update decision set due_at = now()
where due_at > now() + make_interval(secs => %(longest)s) and owner <> ''
returning key

-- name: clock_set_back
-- What waits got its time from a clock that was ahead: it is looked at now, and timed anew. An owned
-- order is left alone: its holder extends the lease by the new clock, or `heal` ends it.
with waiting as (
  select key from decision where due_at > now() and owner = '' order by key for no key update),
looked as (update decision d set due_at = now() from waiting w where d.key = w.key)
update swarm set due_at = now() where due_at > now() returning id

-- name: hasten
-- A waiting order is worth asking about now; one that somebody works on is left alone.
update decision set due_at = now()
where key = %(key)s and settled_at is null and owner = '' and due_at > now()
