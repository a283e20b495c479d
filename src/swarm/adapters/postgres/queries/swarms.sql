-- Swarm objects as people apply them.

-- name: lock
select id, generation, spec_sha256, shadow, deleted_at is not null, trail_seq, trail_hash, now()
from swarm where id = %(id)s for no key update

-- name: create
insert into swarm (id, namespace, name, uid, metadata, written, spec, spec_sha256)
values (%(id)s, %(namespace)s, %(name)s, %(uid)s, %(metadata)s::jsonb, %(written)s::jsonb,
  %(spec)s::jsonb, %(sha256)s)
on conflict do nothing

-- name: replace
update swarm
set written = %(written)s::jsonb, spec = %(spec)s::jsonb, spec_sha256 = %(sha256)s,
    generation = generation + 1, deleted_at = null, policy_hash = ''
where id = %(id)s
returning generation

-- name: label
update swarm set metadata = %(metadata)s::jsonb
where id = %(id)s and metadata <> %(metadata)s::jsonb

-- name: head
update swarm set trail_seq = %(seq)s, trail_hash = %(hash)s where id = %(id)s

-- name: sources
-- Sources that the spec does not name any more keep their cursor: they may come back.
insert into source (swarm, name) select %(id)s, unnest(%(names)s::text[]) on conflict do nothing

-- name: delete
update swarm set deleted_at = now(), policy_hash = '' where id = %(id)s and deleted_at is null

-- name: set_shadow
update swarm set shadow = %(shadow)s where id = %(id)s and shadow <> %(shadow)s

-- name: open_missions
select id from mission where swarm = %(id)s and ended_at is null order by id
