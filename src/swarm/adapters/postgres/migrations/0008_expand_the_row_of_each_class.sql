-- 0008 expand: the row of failures of one class is found behind any number of other classes' endings.
-- Needed by: tick.surroundings.    Old code: still works (it does not look for them).
-- Contract step: none.
-- Locks: SHARE on outcome and mission while the indexes are built.
set local lock_timeout = '2s';

create index outcome_in_a_row_of_class on outcome (swarm, mission_class, at)
  where counts_as_failure or outcome = 'delivered';
create index mission_proofs on mission (requalifies, opened_at) where requalifies is not null;
