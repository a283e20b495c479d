-- 0002 expand: what the regime runtime remembers, and the record of every trading control.
-- Needed by: adapters/postgres/store/regime and store/trading.     Old code: does not see it.
-- Locks: none that matter, every object is new.
--
-- Times of trading are integer nanoseconds UTC beside a timestamptz for people. Money is bigint
-- micro-units. What may not be changed afterwards is guarded by `append_only`: it lets nothing be
-- updated, and deletes only what is older than the stated retention.

-- ---------------------------------------------------------------------------------- append only

create function append_only() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and old.at < now() - tg_argv[0]::interval then
    return old;
  end if;
  raise exception '% is append only; rows are kept for %', tg_table_name, tg_argv[0]
    using errcode = 'restrict_violation';
end
$$;

-- ------------------------------------------------------------------------------------ the regime

-- One observation of one stream, as it came in. State is a snapshot plus a replay of these.
create table observation (
  stream text collate "C" not null,
  tick   bigint not null check (tick >= 0),
  at_ns  bigint not null,
  at     timestamptz not null default now(),
  value  float8[] not null,                               -- in the stream's own order of columns
  primary key (stream, tick)
);
create trigger observation_kept before update or delete on observation
  for each row execute function append_only('13 months');
create trigger observation_whole before truncate on observation
  for each statement execute function append_only('13 months');

-- The regime of a stream, one version for each delivery cycle.
create table regime_state (
  stream        text collate "C" not null,
  version       bigint not null check (version > 0),
  cycle         text not null,                            -- the mission or cadence tick it belongs to
  tick          bigint not null,
  at_ns         bigint not null,
  at            timestamptz not null default now(),
  model_version text not null,
  params_hash   text not null,
  state_sha256  bytea not null check (octet_length(state_sha256) = 32),
  state         bytea not null,                           -- regime.saved
  record        jsonb not null,                           -- id, posterior, scores, posture, reasons
  primary key (stream, version),
  unique (stream, cycle)
);
create trigger regime_state_kept before update or delete on regime_state
  for each row execute function append_only('5 years');
create trigger regime_state_whole before truncate on regime_state
  for each statement execute function append_only('5 years');

create table regime_transition (
  stream      text collate "C" not null,
  tick        bigint not null,
  at_ns       bigint not null,
  at          timestamptz not null default now(),
  from_regime text not null,
  to_regime   text not null,
  posture     text not null,
  reasons     jsonb not null,
  primary key (stream, tick)
);
create trigger regime_transition_kept before update or delete on regime_transition
  for each row execute function append_only('5 years');
create trigger regime_transition_whole before truncate on regime_transition
  for each statement execute function append_only('5 years');

-- ------------------------------------------------------------------------------------ the trials

-- Everything that was ever tried, whatever became of it: the universe of a data-snooping test. The
-- same content under the same objective and regime is one trial.
create table trial (
  objective text collate "C" not null,
  regime    text not null,
  id        text collate "C" not null,                    -- SHA-256 of the content
  strategy  text not null,
  parent    text,                                         -- the mission or trial it came from
  content   jsonb not null,                               -- code revision and every parameter
  at        timestamptz not null default now(),
  primary key (objective, regime, id)
);
create trigger trial_kept before update or delete on trial
  for each row execute function append_only('5 years');
create trigger trial_whole before truncate on trial
  for each statement execute function append_only('5 years');

-- Net excess over the regime's baseline, tick by tick, in parts as they come.
create table trial_excess (
  objective  text collate "C" not null,
  regime     text not null,
  trial      text collate "C" not null,
  first_tick bigint not null,
  excess     float8[] not null check (cardinality(excess) > 0),
  at         timestamptz not null default now(),
  primary key (objective, regime, trial, first_tick),
  foreign key (objective, regime, trial) references trial
);
create trigger trial_excess_kept before update or delete on trial_excess
  for each row execute function append_only('5 years');
create trigger trial_excess_whole before truncate on trial_excess
  for each statement execute function append_only('5 years');

-- Looks are registered before they are taken; one without a result has not been taken.
create table trial_look (
  objective text collate "C" not null,
  regime    text not null,
  look      int not null check (look > 0),
  due_tick  bigint not null,
  at        timestamptz not null default now(),
  primary key (objective, regime, look)
);
create trigger trial_look_kept before update or delete on trial_look
  for each row execute function append_only('5 years');
create trigger trial_look_whole before truncate on trial_look
  for each statement execute function append_only('5 years');

create table trial_result (
  objective text collate "C" not null,
  regime    text not null,
  look      int not null,
  trials    text[] not null,                              -- the universe that was tested
  result    jsonb not null,
  at        timestamptz not null default now(),
  primary key (objective, regime, look),
  foreign key (objective, regime, look) references trial_look
);
create trigger trial_result_kept before update or delete on trial_result
  for each row execute function append_only('5 years');
create trigger trial_result_whole before truncate on trial_result
  for each statement execute function append_only('5 years');

-- ----------------------------------------------------------------------------------- the capital

create table rung_change (
  strategy      text collate "C" not null,
  seq           bigint not null check (seq > 0),
  at_ns         bigint not null,
  at            timestamptz not null default now(),
  rung          smallint not null check (rung in (0, 1, 5, 20, 100)),
  capital_share float8 not null check (capital_share between 0 and 1),
  cause         text not null,
  evidence      jsonb not null,
  primary key (strategy, seq)
);
create trigger rung_change_kept before update or delete on rung_change
  for each row execute function append_only('5 years');
create trigger rung_change_whole before truncate on rung_change
  for each statement execute function append_only('5 years');

-- ---------------------------------------------------------------------------------- the controls

create table limit_set (
  name      text collate "C" not null,
  version   int not null check (version > 0),
  hash      text not null check (hash ~ '^[0-9a-f]{64}$'),
  body      text not null,                                -- canonical: these bytes are hashed
  signature text not null,
  signer    text not null,
  at        timestamptz not null default now(),
  primary key (name, version)
);
create trigger limit_set_kept before update or delete on limit_set
  for each row execute function append_only('5 years');
create trigger limit_set_whole before truncate on limit_set
  for each statement execute function append_only('5 years');

-- The newest link of each chain of records. `epoch` is a fence: whoever opens the chain raises it,
-- and who held it before can append no more.
create table gate_head (
  chain text collate "C" primary key,
  epoch bigint not null,
  seq   bigint not null default 0,
  hash  bytea not null default '\x'
) with (fillfactor = 50);

-- Every decision of the gate, and everything else that changed the ledger, one hash chain for each
-- desk. A token carries a nonce and can be recorded once. Replayed, the records give the ledger.
create table gate_record (
  chain      text collate "C" not null,
  seq        bigint not null check (seq > 0),
  at         timestamptz not null,
  at_ns      bigint not null,
  kind       text not null,
  actor      text not null,
  body       text not null,                               -- canonical JSON: these bytes are hashed
  hash       bytea not null check (octet_length(hash) = 32),
  order_id   text collate "C",
  accepted   boolean,                                     -- of decisions; an id is accepted once
  nonce      text collate "C",
  primary key (chain, seq)
);
create unique index gate_record_sent on gate_record (chain, order_id) where accepted;
create unique index gate_record_nonce on gate_record (nonce) where nonce is not null;
create index gate_record_kind on gate_record (chain, kind, at);
create trigger gate_record_kept before update or delete on gate_record
  for each row execute function append_only('5 years');
create trigger gate_record_whole before truncate on gate_record
  for each statement execute function append_only('5 years');

create view gate_decision as
select chain, seq, at, at_ns, order_id, accepted, body::jsonb as body, hash
from gate_record where kind = 'decided';

-- What a control was seen to do: drills, tests, reviews, releases. Assessments are made from it.
create table control_evidence (
  id      text collate "C" primary key,                   -- SHA-256 of kind, subject, time and body
  kind    text not null,
  subject text not null,
  at      timestamptz not null,
  passed  boolean not null,
  body    jsonb not null
);
create index control_evidence_kind on control_evidence (kind, at);
create trigger control_evidence_kept before update or delete on control_evidence
  for each row execute function append_only('5 years');
create trigger control_evidence_whole before truncate on control_evidence
  for each statement execute function append_only('5 years');

create table assessment (
  id      text collate "C" primary key,                   -- SHA-256 of the body
  since   timestamptz not null,
  until   timestamptz not null check (until > since),
  at      timestamptz not null default now(),
  body    text not null,
  missing text[] not null,
  signers text[] not null
);
create trigger assessment_kept before update or delete on assessment
  for each row execute function append_only('5 years');
create trigger assessment_whole before truncate on assessment
  for each statement execute function append_only('5 years');
