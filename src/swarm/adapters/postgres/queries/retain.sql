-- What may be forgotten. Each statement looks at a bounded part, whatever there is: where it had to
-- find so many that may go, it read past all that stay, and with some millions that took longer than
-- a statement may, so that nothing was forgotten any more.
--
-- Needs are read by blocks, as they lie on the disk: by id, or with an index of its own for this, a
-- million of them costs more. Ids are compared with arrays made here, because a plan that knows no
-- numbers yet joins such a part with the whole of the other table.

-- name: blocks_of_needs
select pg_relation_size('need') / current_setting('block_size')::bigint

-- name: expire_needs
-- Needs that nobody has repeated for so long do not matter any more; a new signal reopens them.
with old as (
  select id, swarm, mission_class from need
  where ctid >= %(first)s::tid and ctid < %(last)s::tid
    and state = 'open' and last_seen < now() - %(expire)s::interval
  order by id for no key update skip locked),
gone as (
  update need n set state = 'expired', state_at = now(), state_reason = 'not said for a long time'
  where n.id = any(array(select id from old))
  returning n.swarm, n.mission_class),
counted as (
  update tally t set open = t.open - g.count
  from (select swarm, mission_class, count(*) from gone group by 1, 2) g
  where t.swarm = g.swarm and t.mission_class = g.mission_class)
select count(*) from gone

-- name: drop_needs
-- Closed needs without a mission, with everything that hangs on them.
with old as (
  select id from need n
  where ctid >= %(first)s::tid and ctid < %(last)s::tid
    and state in ('rejected', 'expired', 'done') and state_at < now() - %(keep_needs)s::interval
    and not exists (select from mission m where m.need = n.id)
  order by id for update skip locked),
texts as (delete from likeness where need = any(array(select id from old))),
names as (delete from alias where need = any(array(select id from old))),
cited as (delete from citation where need = any(array(select id from old))),
said as (delete from signal where need = any(array(select id from old))),
gone as (delete from need where id = any(array(select id from old)) returning true)
select count(*) from gone

-- name: swarms
select id from swarm order by id

-- name: drop_signals
-- Old signals of needs that are closed; the trail of a mission keeps the ids and the citations. From
-- where the part before ended; gives how many went, and where this one ended, or nothing at the end.
-- The limit is written out: one that the planner cannot read makes it sort the whole table.
with part as materialized (
  select id, need, read_at from signal
  where swarm = %(swarm)s and read_at < now() - %(keep_signals)s::interval
    and read_at >= %(after)s and (read_at, id) > (%(after)s, %(after_id)s)
  order by read_at, id limit 5000),
closed as (
  select id from need
  where id = any(array(select distinct need from part)) and state not in ('open', 'taken')),
old as (
  select id from signal
  where id = any(array(select p.id from part p join closed c on c.id = p.need))
  order by id for update skip locked),
gone as (delete from signal where id = any(array(select id from old)) returning true)
select (select count(*) from gone), read_at, id from part order by read_at desc, id desc limit 1

-- name: drop_intake
delete from intake where since < now() - interval '2 days'
