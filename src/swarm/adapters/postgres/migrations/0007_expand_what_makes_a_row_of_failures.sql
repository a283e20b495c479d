-- 0007 expand: the endings that make or break a row of failures are found behind any number of others.
-- Needed by: tick.surroundings.    Old code: still works (it does not look for them).
-- Contract step: none.
-- Locks: SHARE on outcome while the index is built.
set local lock_timeout = '2s';

create index outcome_in_a_row on outcome (swarm, at)
  where counts_as_failure or outcome = 'delivered';
