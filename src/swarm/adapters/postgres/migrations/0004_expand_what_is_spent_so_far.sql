-- 0004 expand: what the work under way says it has spent, so that cutting it off is charged for it.
-- Needed by: store/records.py (a mission that ends while its agent is at work).
-- Old code: still works (it notes nothing, and charges what a run was expected to cost).
-- Contract step: none.
-- Locks: ACCESS EXCLUSIVE on decision for one catalogue update; no table rewrite (constant default).
set local lock_timeout = '2s';

alter table decision
  add column spent bigint not null default 0 check (spent >= 0);  -- micro-units, until now
