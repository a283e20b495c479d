-- What may be forgotten. Each statement takes a bounded part, so that no lock is held for long.

-- name: expire_needs
-- Needs that nobody has repeated for so long do not matter any more; a new signal reopens them.
with old as (
  select id, swarm, mission_class from need
  where state = 'open' and last_seen < now() - %(expire)s::interval
  order by id limit %(limit)s for no key update skip locked),
gone as (
  update need n set state = 'expired', state_at = now(), state_reason = 'not said for a long time'
  from old where n.id = old.id
  returning n.swarm, n.mission_class)
update tally t set open = t.open - g.count
from (select swarm, mission_class, count(*) from gone group by 1, 2) g
where t.swarm = g.swarm and t.mission_class = g.mission_class
returning g.count

-- name: drop_needs
-- Closed needs without a mission, with everything that hangs on them.
with old as (
  select id from need n
  where state in ('rejected', 'expired', 'done') and state_at < now() - %(keep_needs)s::interval
    and not exists (select from mission m where m.need = n.id)
  order by id limit %(limit)s for update skip locked),
texts as (delete from likeness l using old where l.need = old.id),
names as (delete from alias a using old where a.need = old.id),
cited as (delete from citation c using old where c.need = old.id),
said as (delete from signal s using old where s.need = old.id)
delete from need n using old where n.id = old.id

-- name: drop_signals
-- Old signals of needs that are closed; the trail of a mission keeps the ids and the citations.
delete from signal where id in (
  select s.id from signal s join need n on n.id = s.need
  where s.read_at < now() - %(keep_signals)s::interval and n.state not in ('open', 'taken')
  order by s.id limit %(limit)s for update of s skip locked)

-- name: drop_intake
delete from intake where since < now() - interval '2 days'
