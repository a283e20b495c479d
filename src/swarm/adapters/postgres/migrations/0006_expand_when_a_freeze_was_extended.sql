-- 0006 expand: when a freeze was extended, so that no proof that began before that lifts it.
-- Needed by: missions.requalify, core/loop/requalify.py.    Old code: still works (it notes nothing).
-- Contract step: none.
-- Locks: ACCESS EXCLUSIVE on frozen for one catalogue update; no table rewrite (no default).
set local lock_timeout = '2s';

alter table frozen
  add column extended_at timestamptz;                     -- when its scope was frozen once more
