-- One tick: lock the swarm's row, read everything, write everything, commit.

-- name: agenda
-- A swarm that another controller ticks at this moment is due all the same: a lock shows only to
-- those who take one, and a reader that takes locks keeps others from ticking.
select exists (
         select from swarm s
         where s.id || ' ' || s.xmin <> all(%(unreadable)s::text[])
           and (s.due_at <= now() or exists (select from wake w where w.swarm = s.id))) as swarms,
       exists (                                       -- the same conditions as orders.claim
         select from decision d join swarm s on s.id = d.swarm
         where d.due_at <= now() and position(',' || d.kind || ',' in %(kinds)s) > 0
           and (not d.forward or (
             (d.policy_hash = s.policy_hash
              or (d.begun_at is not null and d.kind not in ('set-traffic', 'promote')))
             and s.deleted_at is null
             and ((d.begun_at is not null and d.kind in ('land', 'start-run'))
                  or not (s.shadow or exists (select from frozen f
                                              where f.swarm = d.swarm and f.lifted_at is null
                                                and f.mission_class in ('*', d.mission_class)))))))
         as orders,
       (select min(due_at) from swarm where due_at > now()) - now() as swarm_wait,
       (select min(due_at) from decision where due_at > now()) - now() as order_wait

-- name: take
-- NO KEY UPDATE: writers that refer to the swarm take KEY SHARE on its row and must not block it.
-- Room for those that cannot be read, which stay due, or many of them would hide all others.
with candidates as (
  (select id, due_at as at from swarm where due_at <= now() order by due_at
   limit 32 + cardinality(%(unreadable)s::text[]))
  union all
  (select swarm, min(at) from wake group by swarm order by 2
   limit 32 + cardinality(%(unreadable)s::text[])))
select s.id, s.namespace, s.name, s.generation, s.spec::text, s.policy_hash, s.shadow,
       s.deleted_at is not null, s.due_at, s.status::text, s.trail_seq, s.trail_hash, now(),
       coalesce(s.metadata -> 'annotations', '{}')::text, s.id || ' ' || s.xmin
from swarm s
where s.id in (select id from candidates)
  and s.id || ' ' || s.xmin <> all(%(unreadable)s::text[])
order by (select min(c.at) from candidates c where c.id = s.id)
limit 1
for no key update of s skip locked

-- name: answer_wakes
delete from wake where swarm = %(swarm)s

-- name: budget
insert into budget (namespace, name, window_start, window_end, cap)
values (%(namespace)s, %(name)s, %(start)s, %(end)s, %(cap)s)
on conflict (namespace, name, window_start) do update
set cap = excluded.cap, window_end = excluded.window_end,
    overrun = greatest(0, budget.reserved + budget.spent - excluded.cap)
where (budget.cap, budget.window_end) <> (excluded.cap, excluded.window_end)

-- name: read_budget
select id, cap, reserved, spent, window_end from budget
where namespace = %(namespace)s and name = %(name)s and window_start = %(start)s

-- name: learned
select class_bias::text, source_trust::text, seq from learned
where swarm = %(swarm)s order by seq desc limit 1

-- name: lapse_policy
-- Another policy: what was decided to begin under the old one is taken back before it happens. What
-- was begun may have happened: its answer is still wanted (see orders.claim). Not so of traffic: it
-- would pass gates that were never asked under the new policy, and a repetition has the same key.
with gone as (
  delete from decision
  where swarm = %(swarm)s and settled_at is null and forward
    and (begun_at is null or kind in ('set-traffic', 'promote'))
    and policy_hash <> %(policy_hash)s
  returning mission, key)
select mission, key from gone order by mission, key

-- name: excuse_silence
-- Checks that are due for a minute and longer: nobody was awake to ask them, so their silence is
-- ours and counts from now. Whoever is locked is being asked.
with unasked as (
  select key from decision
  where swarm = %(swarm)s and kind = 'run-check' and begun_at < now() - interval '1 minute'
    and settled_at is null and due_at < now() - interval '1 minute'
  for no key update skip locked),
excused as (
  update decision d set begun_at = now() from unasked where d.key = unasked.key
  returning d.mission)
update mission set revision = revision + 1 where id in (select mission from excused)

-- name: lapse_approvals
update approval
set state = case when policy_hash <> %(policy_hash)s then 'void' else 'expired' end
where swarm = %(swarm)s and state in ('open', 'granted')
  and (expires_at <= now() or policy_hash <> %(policy_hash)s)
returning mission, id, state

-- name: surroundings
-- Everything else that decide may know, as one row: a statement each costs the driver more than the
-- reading. JSON, so that what says the same as last time need not be made again.
select
  (select coalesce(sum(open), 0)::bigint from tally where swarm = %(swarm)s),
  (select json_agg(f order by f.since, f.id)
   from (select id, mission_class, reason, detail, cause, since, until, requalified, needs_token, by,
                extended_at as extended
         from frozen where swarm = %(swarm)s and lifted_at is null) f)::text,
  -- With its repository: a freeze is requalified where its cause worked. Beside the newest ones, as
  -- many as a row of failures may be long (100) of those that make or break one, however old; and of
  -- each class as many as freeze it, however many of other classes came since. And the last tries to
  -- prove what is frozen: one that is forgotten would be opened once more, and refused, at each tick.
  (select json_agg(o order by o.at, o.mission)
   from (select e.mission, e.mission_class, e.kind, e.outcome, e.counts_as_failure, e.at, e.reason, m.repo,
                -- As `Outcome.gist` says it.
                case when e.counts_as_failure then left(split_part(e.detail, E'\n', 1), %(gist)s)
                     else '' end as detail
         from outcome e join mission m on m.id = e.mission
         where e.mission in (
           (select mission from outcome where swarm = %(swarm)s order by at desc, mission limit 64)
           union
           (select mission from outcome
            where swarm = %(swarm)s and (counts_as_failure or outcome = 'delivered')
            order by at desc, mission limit 128)
           union
           (select c.mission from (select mission_class from tally where swarm = %(swarm)s
                                   union select '*') known,
              lateral (select mission from outcome
                       where swarm = %(swarm)s and mission_class = known.mission_class
                         and (counts_as_failure or outcome = 'delivered')
                       order by at desc, mission limit %(class_row)s) c)
           union
           (select t.id from frozen f,
              lateral (select id from mission
                       where requalifies = f.id and ended_at is not null
                       order by opened_at desc, id limit 4) t
            where f.swarm = %(swarm)s and f.lifted_at is null))) o)::text,
  (select json_agg(s order by s.name)
   from (select name, read_at is not null as answered, dark_since, detail from source where swarm = %(swarm)s) s)::text,
  (select json_agg(json_build_array(target, revision) order by target, revision)
   from denied where swarm = %(swarm)s)::text,
  (select json_agg(json_build_array(target, seen) order by target)
   from drift where swarm = %(swarm)s)::text,
  l.class_bias::text, l.source_trust::text,
  least((select min(not_before) from need
         where swarm = %(swarm)s and state = 'open' and not_before > now()),
        (select min(expires_at) from approval
         where swarm = %(swarm)s and state in ('open', 'granted'))),
  (select coalesce(sum(signals), 0) from intake
   where swarm = %(swarm)s and since > now() - interval '24 hours')::bigint,
  d.missions, d.success,
  (select landed from outcome
   where swarm = %(swarm)s and landed is not null order by at desc limit 1),
  (select max(read_at) from source where swarm = %(swarm)s)
from (select count(*) as missions,
        (avg((outcome = 'delivered' and autonomous)::int)
         filter (where outcome <> 'recommended'))::float8 as success
      from outcome where swarm = %(swarm)s and at > now() - interval '24 hours') d
left join (select class_bias, source_trust from learned
           where swarm = %(swarm)s order by seq desc limit 1) l on true

-- name: close
update swarm
set due_at = %(due)s, policy_hash = %(policy_hash)s, trail_seq = %(seq)s, trail_hash = %(hash)s
where id = %(swarm)s
  and (due_at, policy_hash, trail_seq) is distinct from (%(due)s, %(policy_hash)s, %(seq)s)

-- name: wake
insert into wake (swarm) values (%(swarm)s)

-- name: write_status
update swarm set status = %(status)s::jsonb where id = %(swarm)s

-- name: ponder
insert into selection (swarm, at, idle_reason, needs)
values (%(swarm)s, %(at)s, %(idle)s, %(needs)s::jsonb)
on conflict (swarm) do update
set at = excluded.at, idle_reason = excluded.idle_reason, needs = excluded.needs
where (selection.idle_reason, selection.needs) is distinct from (excluded.idle_reason, excluded.needs)
