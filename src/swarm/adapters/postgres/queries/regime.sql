-- What the regime runtime remembers. Everything here is appended and read, never changed.

-- name: add_observation
insert into observation (stream, tick, at_ns, value)
values (%(stream)s, %(tick)s, %(at_ns)s, %(value)s::float8[])
on conflict (stream, tick) do nothing

-- name: observations_between
select tick, at_ns, value from observation
where stream = %(stream)s and tick between %(first)s and %(last)s

-- name: newest_tick
select max(tick) from observation where stream = %(stream)s

-- name: observations
select tick, at_ns, value from observation
where stream = %(stream)s and tick > %(after)s order by tick limit %(limit)s

-- name: drop_observations
-- Older than their retention; the guard of the table lets nothing younger go.
delete from observation where ctid = any(array(
  select ctid from observation where at < now() - interval '13 months' limit %(limit)s))

-- name: save_state
insert into regime_state
  (stream, version, cycle, tick, at_ns, model_version, params_hash, state_sha256, state, record)
select %(stream)s, coalesce(max(version), 0) + 1, %(cycle)s, %(tick)s, %(at_ns)s,
       %(model_version)s, %(params_hash)s, sha256(%(state)s::bytea), %(state)s::bytea,
       %(record)s::jsonb
from regime_state where stream = %(stream)s
on conflict (stream, cycle) do nothing
returning version

-- name: state_of_cycle
select version, tick, sha256(%(state)s::bytea) = state_sha256
from regime_state where stream = %(stream)s and cycle = %(cycle)s

-- name: load_state
select version, cycle, tick, at_ns, model_version, params_hash, state_sha256, state, record
from regime_state
where stream = %(stream)s and (%(version)s::bigint is null or version = %(version)s)
order by version desc limit 1

-- name: state_history
select version, cycle, tick, at_ns, model_version, params_hash, record from regime_state
where stream = %(stream)s order by version desc limit %(limit)s

-- name: add_transition
insert into regime_transition (stream, tick, at_ns, from_regime, to_regime, posture, reasons)
values (%(stream)s, %(tick)s, %(at_ns)s, %(was)s, %(becomes)s, %(posture)s, %(reasons)s::jsonb)
on conflict (stream, tick) do nothing

-- name: transitions
select tick, at_ns, from_regime, to_regime, posture, reasons from regime_transition
where stream = %(stream)s order by tick desc limit %(limit)s

-- name: add_trial
insert into trial (objective, regime, id, strategy, parent, content)
values (%(objective)s, %(regime)s, %(id)s, %(strategy)s, %(parent)s, %(content)s::jsonb)
on conflict do nothing returning true

-- name: ledger_turn
-- Whoever says when is looked and whoever shows what came take turns: each sees all of the other.
select pg_advisory_xact_lock(hashtextextended(%(objective)s || chr(10) || %(regime)s, 352))

-- name: add_excess
insert into trial_excess (objective, regime, trial, first_tick, excess)
select %(objective)s, %(regime)s, %(trial)s, %(first_tick)s::bigint, %(excess)s::float8[]
where not exists (
  select from trial_excess e
  where (e.objective, e.regime, e.trial) = (%(objective)s, %(regime)s, %(trial)s)
    and e.first_tick < %(first_tick)s::bigint + cardinality(%(excess)s::float8[])
    and %(first_tick)s::bigint < e.first_tick + cardinality(e.excess))
returning true

-- name: same_excess
select excess = %(excess)s::float8[] from trial_excess
where (objective, regime, trial, first_tick)
    = (%(objective)s, %(regime)s, %(trial)s, %(first_tick)s)

-- name: trial_exists
select true from trial
where (objective, regime, id) = (%(objective)s, %(regime)s, %(trial)s) for key share

-- name: universe
select t.id, t.strategy, t.content, e.first_tick, e.excess
from trial t left join trial_excess e on (e.objective, e.regime, e.trial)
                                       = (t.objective, t.regime, t.id)
where t.objective = %(objective)s and t.regime = %(regime)s
order by t.at, t.id, e.first_tick

-- name: add_look
insert into trial_look (objective, regime, look, due_tick)
select %(objective)s, %(regime)s, %(look)s, %(due_tick)s::bigint
where not exists (
  select from trial_excess
  where (objective, regime) = (%(objective)s, %(regime)s)
    and first_tick + cardinality(excess) > %(due_tick)s::bigint)
on conflict do nothing

-- name: due_tick_of
select due_tick from trial_look
where (objective, regime, look) = (%(objective)s, %(regime)s, %(look)s)

-- name: looks
select l.look, l.due_tick, r.trials, r.result
from trial_look l left join trial_result r using (objective, regime, look)
where l.objective = %(objective)s and l.regime = %(regime)s order by l.look

-- name: add_result
insert into trial_result (objective, regime, look, trials, result)
values (%(objective)s, %(regime)s, %(look)s, %(trials)s::text[], %(result)s::jsonb)
on conflict do nothing returning true

-- name: same_result
select trials = %(trials)s::text[] and result = %(result)s::jsonb from trial_result
where (objective, regime, look) = (%(objective)s, %(regime)s, %(look)s)

-- name: add_rung
insert into rung_change (strategy, seq, at_ns, rung, capital_share, cause, evidence)
values (%(strategy)s, %(seq)s, %(at_ns)s, %(rung)s, %(share)s, %(cause)s, %(evidence)s::jsonb)
on conflict do nothing returning true

-- name: rungs
select seq, at_ns, rung, capital_share, cause, evidence from rung_change
where strategy = %(strategy)s order by seq desc limit %(limit)s

-- name: rungs_now
select distinct on (strategy) strategy, seq, at_ns, rung, capital_share, cause from rung_change
order by strategy, seq desc
