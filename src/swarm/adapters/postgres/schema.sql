-- The whole schema as all migrations leave it, for reading. A test compares the two.
--
-- Conventions. Ids are derived text (core/ids.py), compared by bytes. Money is bigint micro-units.
-- A name of a state is text with a check, because an enum type cannot shrink. Tables that are
-- updated often leave room on the page so that the new version stays there.
-- Foreign keys hold what is written rarely together. The ingest path (signal, need, citation) and
-- the order path (decision, evidence, wake, trail) carry none: each check would lock a parent row,
-- and the writer proves the parent in the same transaction anyway.

-- ------------------------------------------------------------------------------------- the trail

-- One link of a chain: SHA-256 over the link before it and over every field with its length, so
-- that no two different events read the same. core/trail.py computes the same bytes and verifies.
create function link(
  prev bytea, chain text, seq bigint, at timestamptz, kind text, actor text, body text
) returns bytea language sql stable parallel safe as $$
  select sha256(
    int4send(octet_length(prev)) || prev
    || int4send(octet_length(convert_to(chain, 'UTF8'))) || convert_to(chain, 'UTF8')
    || int8send(seq) || int8send((extract(epoch from at) * 1000000)::bigint)
    || int4send(octet_length(convert_to(kind, 'UTF8'))) || convert_to(kind, 'UTF8')
    || int4send(octet_length(convert_to(actor, 'UTF8'))) || convert_to(actor, 'UTF8')
    || int4send(octet_length(convert_to(body, 'UTF8'))) || convert_to(body, 'UTF8'))
$$;

-- `tx` lets a reader follow the tail without missing an event that was begun early and committed
-- late: it reads only transactions older than every running one.
create table trail (
  chain text collate "C" not null,                        -- the mission's id, or the swarm's
  seq   bigint not null check (seq > 0),
  swarm text collate "C" not null,
  at    timestamptz not null,
  tx    xid8 not null default pg_current_xact_id(),
  kind  text not null,
  actor text not null,
  body  text not null,                                    -- canonical JSON: these bytes are hashed
  hash  bytea not null check (octet_length(hash) = 32),
  primary key (chain, seq)
);
create index trail_tail on trail (swarm, tx);

create table seal (
  swarm     text collate "C" not null,                    -- no reference: a seal outlives its swarm
  seq       bigint not null check (seq > 0),
  at        timestamptz not null,
  body      text not null,                                -- canonical JSON: these bytes are signed
  leaves    text not null,                                -- [[chain, seq, hash], ...] of the root
  key       text not null,                                -- fingerprint of who signed
  signature bytea not null check (octet_length(signature) = 64),
  primary key (swarm, seq)
);

-- ------------------------------------------------------------------------------------- the swarm

create table swarm (
  id          text collate "C" primary key,
  namespace   text not null,
  name        text not null,
  uid         text not null,
  metadata    jsonb not null default '{}',                -- labels and annotations
  generation  bigint not null default 1 check (generation > 0),
  written     jsonb not null,                             -- the spec as its author wrote it
  spec        jsonb not null,                             -- profile and defaults filled in
  spec_sha256 text not null,                              -- of the defaulted, canonical spec
  policy_hash text not null default '',                   -- '' holds forward orders until a tick
  shadow      boolean not null default false,
  status      jsonb not null default '{}',
  due_at      timestamptz,                                -- null is parked: only a wake moves it
  trail_seq   bigint not null default 0,
  trail_hash  bytea not null default '\x',
  created_at  timestamptz not null default now(),
  deleted_at  timestamptz,
  unique (namespace, name)
) with (fillfactor = 50);
create index swarm_due on swarm (due_at) where due_at is not null;

-- A wake-up is a row that the next tick deletes. A writer adds one without touching the swarm's
-- row, so it never waits for a tick, and a row that a tick could not see yet outlives that tick.
create table wake (
  swarm text collate "C" not null,
  at    timestamptz not null default now()
);
create index wake_swarm on wake (swarm);

-- Why the best needs were or were not chosen by the last tick that thought otherwise.
create table selection (
  swarm text collate "C" primary key references swarm on delete cascade,
  at    timestamptz not null,
  idle_reason text not null,
  needs jsonb not null                                    -- [[need, reason, detail], ...]
) with (fillfactor = 50);

-- ------------------------------------------------------------------------------------- discovery

create table source (
  swarm      text collate "C" not null references swarm on delete cascade,
  name       text not null,
  cursor     text not null default '',
  read_at    timestamptz,                                 -- of the last reading that brought news
  dark_since timestamptz,
  detail     text not null default '',
  primary key (swarm, name)
) with (fillfactor = 70);

create table signal (
  id     text collate "C" primary key,
  swarm  text collate "C" not null,
  need   text collate "C" not null,
  source text not null,
  at     timestamptz not null,                            -- when the source said it
  read_at timestamptz not null default now(),
  shape  smallint not null default 1,
  body   json not null                                    -- core.nouns.Signal
);
create index signal_need on signal (need);
create index signal_read on signal (swarm, read_at);

create table need (
  id            text collate "C" primary key,
  swarm         text collate "C" not null,
  rank          float8 not null,                          -- static: its order never changes by waiting
  heat          float8 not null,                          -- ln of the pheromone sum at the epoch
  confidence    float8 not null check (confidence between 0 and 1),
  value         float8 not null check (value > 0),
  cost          bigint not null check (cost >= 0),
  first_seen    timestamptz not null,
  last_seen     timestamptz not null,
  not_before    timestamptz,
  state_at      timestamptz not null default now(),
  signals       int not null,
  citations     int not null,
  rounds        int not null default 0,
  own_rounds    int not null default 0,
  risk          smallint not null check (risk between 0 and 3),
  cited         boolean not null,
  external      boolean not null,
  state         text not null default 'open'
                check (state in ('open', 'taken', 'done', 'rejected', 'expired')),
  mission_class text not null,
  repo          text not null,
  rule          text not null,
  paths         text[] not null,
  origins       text[] not null,                          -- cited ones, sorted
  trusts        float8[] not null default '{}',           -- of these, in the same order
  state_reason  text not null default '',
  title         text not null,
  body          text not null,
  heard         int,                                      -- origins that can be looked up
  anchored      boolean                                   -- one is ours or of a trusted tier
) with (fillfactor = 80);
-- With the id behind the rank, equal ranks have one order, and cutting the list stays cheap; with
-- what bars a need beside it, those that rest or that nobody takes are passed over without being read.
create index need_rank on need (swarm, mission_class, rank desc, id)
  include (not_before, repo, rule, risk)
  where state = 'open';
create index need_rests on need (swarm, not_before) where state = 'open' and not_before is not null;

-- What makes texts alike, apart from the need itself: a need is rewritten when its rank moves, and
-- would take its 21 index entries along each time. Written once, never updated.
create table likeness (
  need      text collate "C" primary key,
  bands     int[] not null,                               -- hashes of 21 bands of 6 rows
  signature bytea not null check (octet_length(signature) = 256)  -- 128 minima, 16 bits each
);
create index likeness_bands on likeness using gin (bands) with (fastupdate = off);

-- A text that was merged into another need: the next time it is an exact hit.
create table alias (
  id   text collate "C" primary key,                      -- the need's id had it stood alone
  need text collate "C" not null
);
create index alias_need on alias (need);

create table citation (
  need     text collate "C" not null,
  origin   text not null,                                 -- repeats of one origin count once
  citation text not null,                                 -- '' when it cannot be looked up
  source   text not null,
  external boolean not null,
  trust    float8 not null check (trust between 0 and 1),
  signal   text collate "C" not null,
  at       timestamptz not null,
  primary key (need, origin)
);

-- How many needs are open, per class: counting a million rows at each tick would cost 0.1 s.
create table tally (
  swarm         text collate "C" not null,
  mission_class text not null,
  open          bigint not null default 0,
  primary key (swarm, mission_class)
) with (fillfactor = 50);

-- Signals read per ten minutes: the 24-hour figure is a sum of 145 rows, not a count of a million.
create table intake (
  swarm   text collate "C" not null,
  since   timestamptz not null,
  signals bigint not null,
  primary key (swarm, since)
) with (fillfactor = 50);

-- -------------------------------------------------------------------------------------- missions

create table budget (
  id           bigint generated always as identity primary key,
  namespace    text not null,
  name         text not null,
  window_start timestamptz not null,
  window_end   timestamptz not null check (window_end > window_start),
  cap          bigint not null check (cap >= 0),
  reserved     bigint not null default 0 check (reserved >= 0),
  spent        bigint not null default 0 check (spent >= 0),
  overrun      bigint not null default 0 check (overrun >= 0),  -- spent beyond what was reserved
  unique (namespace, name, window_start),
  constraint budget_holds check (reserved + spent <= cap + overrun)
) with (fillfactor = 50);

create table mission (
  id            text collate "C" primary key,
  swarm         text collate "C" not null references swarm,
  need          text collate "C" references need,
  kind          text not null check (kind in ('deliver', 'remediate', 'requalify')),
  parent        text collate "C" references mission,
  depth         int not null,
  mission_class text not null,
  risk          smallint not null check (risk between 0 and 3),
  repo          text not null,
  title         text not null,
  body          text not null,
  rule          text not null,
  agent         text not null,
  cause         text not null default '',
  requalifies   text collate "C",                        -- the freeze it is the proof for
  contract      jsonb not null,
  rank_terms    jsonb not null,
  generation    bigint not null,
  policy_hash   text not null,
  shadow        boolean not null,
  budget        bigint references budget,
  reserved      bigint not null default 0 check (reserved >= 0),
  opened_at     timestamptz not null,
  ended_at      timestamptz,
  version       bigint not null default 0,                -- what decide has to think about again
  revision      bigint not null default 0,                -- whatever changed, for reading again
  standing      jsonb,
  trail_seq     bigint not null default 0,
  trail_hash    bytea not null default '\x'
) with (fillfactor = 60);
create unique index mission_one_per_need on mission (need) where ended_at is null;
create index mission_open on mission (swarm) where ended_at is null;
create index mission_opened on mission (swarm, opened_at);
create index mission_parent on mission (parent) where parent is not null;
create index mission_need on mission (need);
create index mission_proofs on mission (requalifies, opened_at) where requalifies is not null;

create table decision (
  key           text collate "C" primary key,
  swarm         text collate "C" not null,
  mission       text collate "C" not null,                -- '' when it serves the swarm as a whole
  mission_class text not null,
  kind          text not null,
  forward       boolean not null,
  policy_hash   text not null,
  shape         smallint not null default 1,
  body          jsonb not null,                           -- core.decision.Order
  issued_at     timestamptz not null,
  due_at        timestamptz,                              -- null is settled; while owned: lease end
  fence         bigint not null default 0,
  owner         text not null default '',
  begun_at      timestamptz,
  tries         int not null default 0,
  reason        text not null default '',                 -- why it waits
  detail        text not null default '',
  capacity      boolean not null default false,
  settled_at    timestamptz,
  spent         bigint not null default 0 check (spent >= 0)  -- micro-units, as the work told so far
) with (fillfactor = 60);
create index decision_due on decision (due_at) where due_at is not null;
create index decision_mission on decision (mission, issued_at);

create table evidence (
  id      text collate "C" primary key,                   -- derived from the order: settled once
  mission text collate "C" not null,
  swarm   text collate "C" not null,
  seq     bigint generated always as identity,
  decision text collate "C",
  kind    text not null,
  at      timestamptz not null,
  shape   smallint not null default 1,
  body    json not null                                   -- core.evidence.Fact; its exact text is
                                                          -- what the trail holds the digest of
);
create index evidence_mission on evidence (mission, seq);
-- A commit leads to its mission, by any prefix.
create index evidence_landed on evidence ((body ->> 'commit') collate "C")
  where kind in ('landed', 'reverted');
create index evidence_head on evidence ((body -> 'change' ->> 'head') collate "C")
  where kind in ('run-ended', 'restaged');

create table verdict (
  id          bigint generated always as identity primary key,
  mission     text collate "C" not null references mission on delete cascade,
  gate        text not null,
  subject     text not null,
  answer      smallint not null check (answer between 0 and 3),
  reason      text not null,
  detail      text not null,
  evidence    text[] not null,
  configured  boolean not null,
  look_again  timestamptz,
  generation  bigint not null,
  policy_hash text not null,
  at          timestamptz not null
);
create index verdict_mission on verdict (mission, gate, subject, id);

create table approval (
  id          text collate "C" primary key,
  mission     text collate "C" not null references mission on delete cascade,
  swarm       text collate "C" not null,
  commit      text not null,
  policy_hash text not null,
  risk        smallint not null check (risk between 0 and 3),
  question    text not null,
  asked_at    timestamptz not null,
  expires_at  timestamptz not null,
  state       text not null default 'open'
              check (state in ('open', 'granted', 'denied', 'used', 'expired', 'void')),
  approver    text not null default '',
  reason      text not null default '',
  answered_at timestamptz,
  used_at     timestamptz,
  check ((answered_at is not null) or state not in ('granted', 'denied', 'used'))
);
create index approval_mission on approval (mission);
create index approval_open on approval (swarm, expires_at) where state in ('open', 'granted');

create table outcome (
  mission           text collate "C" primary key references mission on delete cascade,
  swarm             text collate "C" not null,
  need              text collate "C",
  mission_class     text not null,
  kind              text not null,                        -- why the mission was opened
  outcome           text not null check (outcome in
                    ('delivered', 'rolled-back', 'failed', 'rejected', 'refused', 'recommended')),
  reason            text not null,
  detail            text not null,
  attempts          int not null,
  cost              bigint not null,
  counts_as_failure boolean not null,
  landed            text,
  autonomous        boolean not null,                     -- no person was asked or stepped in
  predicted_cost    bigint not null,
  seconds           float8 not null,
  at                timestamptz not null
);
create index outcome_recent on outcome (swarm, at);
create index outcome_in_a_row on outcome (swarm, at)
  where counts_as_failure or outcome = 'delivered';
create index outcome_in_a_row_of_class on outcome (swarm, mission_class, at)
  where counts_as_failure or outcome = 'delivered';
create index outcome_landed on outcome (landed) where landed is not null;

create table ledger (
  id      bigint generated always as identity primary key,
  budget  bigint not null references budget,
  mission text collate "C" not null,
  kind    text not null check (kind in ('reserve', 'spend', 'release')),
  effect  text not null,                                  -- what it was for; counted once
  amount  bigint not null check (amount >= 0),
  at      timestamptz not null default now(),
  unique (mission, kind, effect)
);
create index ledger_budget on ledger (budget, mission);

create table denied (
  swarm    text collate "C" not null references swarm on delete cascade,
  target   text not null,
  revision text not null,
  mission  text collate "C" not null,
  at       timestamptz not null,
  primary key (swarm, target, revision)
);

create table drift (
  swarm  text collate "C" not null references swarm on delete cascade,
  target text not null,
  seen   text not null,
  since  timestamptz not null default now(),
  primary key (swarm, target)
);

create table frozen (                                     -- `freeze` is a reserved word
  id             text collate "C" primary key,
  swarm          text collate "C" not null references swarm on delete cascade,
  mission_class  text not null,                           -- '*' is the whole swarm
  reason         text not null,
  detail         text not null,
  cause          text not null,
  since          timestamptz not null,
  until          timestamptz,                             -- exclusive; null: until a person ends it
  needs_token    boolean not null,
  by             text not null,
  requalified    text,
  requalified_at timestamptz,
  lifted_at      timestamptz,
  lifted_by      text not null default '',
  extended_at    timestamptz                              -- when its scope was frozen once more
);
create unique index frozen_one_open_per_scope on frozen (swarm, mission_class)
  where lifted_at is null;

create table learned (
  swarm        text collate "C" not null references swarm on delete cascade,
  seq          int not null,
  at           timestamptz not null default now(),
  cause        text not null,
  class_bias   jsonb not null,                            -- [[mission class, nats], ...]
  source_trust jsonb not null,                            -- [[source, factor], ...]
  primary key (swarm, seq)
);

-- ------------------------------------------------- nouns that are orders and evidence seen aside

create view run as
select d.body ->> 'run' as id, d.mission, d.swarm, (d.body ->> 'attempt')::int as attempt,
       d.body ->> 'agent' as agent, d.issued_at, d.begun_at, d.settled_at, d.reason as waits_because,
       e.body ->> 'result' as result, e.body ->> 'detail' as detail,
       (e.body ->> 'cost')::bigint as cost, (e.body ->> 'seconds')::float8 as seconds
from decision d left join evidence e on e.decision = d.key
where d.kind = 'start-run';

create view change as
select e.mission, e.swarm, e.seq, e.at, e.kind as made_by, c ->> 'repo' as repo,
       c ->> 'branch' as branch, c ->> 'base' as base, c ->> 'head' as head, c ->> 'tree' as tree,
       c -> 'paths' as paths, (c ->> 'lines_added')::int as lines_added,
       (c ->> 'lines_removed')::int as lines_removed
from evidence e cross join lateral (select e.body -> 'change') as changed (c)
where e.kind in ('run-ended', 'restaged') and json_typeof(c) = 'object';

create view rollout as
select e.mission, e.swarm, e.seq, e.at, e.kind as step_kind, e.body ->> 'target' as target,
       coalesce(e.body ->> 'revision', d.body ->> 'revision') as revision,
       (e.body ->> 'step')::int as step, (e.body ->> 'percent')::int as percent, e.body
from evidence e left join decision d on d.key = e.decision
where e.kind in ('synced', 'traffic-set', 'look-taken', 'promoted', 'aborted', 'live-seen');

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
