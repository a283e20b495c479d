-- 0003 expand: seals over the trail, and how independent the citations of a need are.
-- Needed by: core/seal.py, core/policy/backlog.py.    Old code: still works (it seals nothing, and
-- leaves the two new columns of a need null, which read as "not known yet").
-- Contract step: none.
-- Locks: ACCESS EXCLUSIVE on need for one catalogue update; no table rewrite (no default).
set local lock_timeout = '2s';

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

alter table need
  add column heard int,                                   -- origins that can be looked up
  add column anchored boolean;                            -- one is ours or of a trusted tier
