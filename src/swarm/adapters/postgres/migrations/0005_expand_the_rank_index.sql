-- 0005 expand: whether a need can be taken is read off the rank's index alone.
-- Needed by: needs.best, which passes over what cannot be taken without reading those rows.
-- Old code: still works (it asks the same of the new index).
-- Contract step: none.
-- Locks: SHARE, then ACCESS EXCLUSIVE on need while the index is built: a second for 400,000 needs.
set local lock_timeout = '2s';

drop index need_rank;
create index need_rank on need (swarm, mission_class, rank desc, id)
  include (not_before, repo, rule, risk)
  where state = 'open';
