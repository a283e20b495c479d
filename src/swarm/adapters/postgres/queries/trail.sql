-- The trail, append only.

-- name: append
insert into trail (chain, seq, swarm, at, kind, actor, body, hash)
select g.chain, g.seq, %(swarm)s, %(at)s, g.kind, g.actor, g.body, g.hash
from unnest(%(chains)s::text[], %(seqs)s::bigint[], %(kinds)s::text[], %(actors)s::text[],
            %(bodies)s::text[], %(hashes)s::bytea[]) as g (chain, seq, kind, actor, body, hash)
