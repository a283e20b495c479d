-- Signals in, needs out. Every batch goes by sorted ids: arbitrary order by four writers made 233
-- deadlocks where sorted order makes none.

-- name: lock_source
-- Readings of one swarm go side by side; one that met another while both made the same need tries
-- again alone, or two busy sources could keep each other from ever getting through.
-- What follows looks rows up by their keys. A plan that was made while a table was empty would read
-- all of it for each of a thousand keys, until the table is analysed again.
select cursor, now(), set_config('enable_seqscan', 'off', true),
       case when %(alone)s then pg_advisory_xact_lock(hashtextextended(swarm, 1))
            else pg_advisory_xact_lock_shared(hashtextextended(swarm, 1)) end
from source where swarm = %(swarm)s and name = %(name)s for no key update

-- name: add_source
insert into source (swarm, name) values (%(swarm)s, %(name)s) on conflict do nothing

-- name: cursor
select cursor from source where swarm = %(swarm)s and name = %(name)s

-- name: known_signals
select id from signal where id = any(%(ids)s::text[])

-- name: resolve
-- Needs that are there under these ids, or under the one that they were merged into.
select id, id from need where id = any(%(ids)s::text[])
union all
select id, need from alias where id = any(%(ids)s::text[])

-- name: alike
-- Per text, the needs that share a band with it. GIN reads 21 short lists.
select q.place, l.need, l.signature
from (select place, bands::text::int[] as bands
      from unnest(%(places)s::int[], %(bands)s::text[]) as given (place, bands)) q
join likeness l on l.bands && q.bands

-- name: lock_needs
-- As much as repetition asks about; of the few that hear something new, the rest is read as well.
select id, state, risk, value, cost, external, own_rounds, heat, confidence, first_seen, last_seen,
  signals, origins, trusts
from need where id = any(%(ids)s::text[]) order by id for no key update

-- name: whole_needs
select id, state_at, title, body, mission_class, repo, paths, rule, risk, value, cost, confidence,
  citations, cited, external, signals, heat, rank, first_seen, last_seen, state, not_before, rounds,
  own_rounds, origins, coalesce(heard, citations), coalesce(anchored, false)
from need where id = any(%(ids)s::text[])

-- name: citations
select need, origin, citation, source, external, trust, signal, at
from citation where need = any(%(ids)s::text[])

-- name: said
-- What external citations say, as far as it is still known: the strongest of a flood are enough.
select c.need, c.signal, s.body ->> 'title', s.body ->> 'body'
from unnest(%(ids)s::text[]) as asked (need)
cross join lateral (
  select need, signal from citation
  where need = asked.need and external and citation <> ''
  order by trust desc, at limit %(most)s) c
join signal s on s.id = c.signal

-- name: own_rounds
select m.id, coalesce(n.own_rounds, 0) from mission m left join need n on n.id = m.need
where m.id = any(%(ids)s::text[])

-- name: copy_needs
copy need (id, swarm, rank, heat, confidence, value, cost, first_seen, last_seen, signals,
  citations, own_rounds, risk, cited, external, mission_class, repo, rule, paths, origins, trusts,
  heard, anchored, title, body) from stdin

-- name: copy_citations
copy citation (need, origin, citation, source, external, trust, signal, at) from stdin

-- name: copy_likeness
copy likeness (need, bands, signature) from stdin

-- name: copy_signals
copy signal (id, swarm, need, source, at, body) from stdin

-- name: grow
update need n
set rank = g.rank, heat = g.heat, confidence = g.confidence, value = g.value, cost = g.cost,
    last_seen = g.last_seen, signals = g.signals, citations = g.citations,
    own_rounds = g.own_rounds, risk = g.risk, cited = g.cited, external = g.external,
    origins = array(select jsonb_array_elements_text(g.origins::jsonb)),
    trusts = g.trusts::float8[], heard = g.heard, anchored = g.anchored
from unnest(%(ids)s::text[], %(ranks)s::float8[], %(heats)s::float8[], %(confidences)s::float8[],
            %(values)s::float8[], %(costs)s::bigint[], %(lasts)s::timestamptz[], %(signals)s::int[],
            %(citations)s::int[], %(own)s::int[], %(risks)s::smallint[], %(cited)s::boolean[],
            %(external)s::boolean[], %(origins)s::text[], %(trusts)s::text[], %(heard)s::int[],
            %(anchored)s::boolean[])
     as g (id, rank, heat, confidence, value, cost, last_seen, signals, citations, own_rounds, risk,
           cited, external, origins, trusts, heard, anchored)
where n.id = g.id

-- name: warm
-- The common case: nothing but heat, time and count changed, and often not even the rank.
update need n
set rank = g.rank, heat = g.heat, last_seen = g.last_seen, signals = g.signals
from unnest(%(ids)s::text[], %(ranks)s::float8[], %(heats)s::float8[], %(lasts)s::timestamptz[],
            %(signals)s::int[]) as g (id, rank, heat, last_seen, signals)
where n.id = g.id

-- name: reopen
update need set state = 'open', state_at = now(), not_before = null, state_reason = 'new evidence'
where id = any(%(ids)s::text[])

-- name: strengthen
update citation c
set citation = g.citation, source = g.source, external = g.external, trust = g.trust,
    signal = g.signal, at = g.at
from unnest(%(needs)s::text[], %(origins)s::text[], %(citations)s::text[], %(sources)s::text[],
            %(external)s::boolean[], %(trusts)s::float8[], %(signals)s::text[],
            %(ats)s::timestamptz[])
     as g (need, origin, citation, source, external, trust, signal, at)
where c.need = g.need and c.origin = g.origin

-- name: remember_alias
insert into alias (id, need) select * from unnest(%(ids)s::text[], %(needs)s::text[])
on conflict (id) do nothing

-- name: arrived
insert into intake as i (swarm, since, signals)
values (%(swarm)s, to_timestamp(floor(extract(epoch from now()) / 600) * 600), %(count)s)
on conflict (swarm, since) do update set signals = i.signals + excluded.signals

-- name: advance
update source
set cursor = %(cursor)s, read_at = case when %(news)s then now() else read_at end
where swarm = %(swarm)s and name = %(name)s and (cursor <> %(cursor)s or %(news)s)

-- name: darken
insert into source as s (swarm, name, dark_since, detail)
values (%(swarm)s, %(name)s, now(), %(detail)s)
on conflict (swarm, name) do update set dark_since = excluded.dark_since, detail = excluded.detail
where s.dark_since is null

-- name: lighten
-- The first answer of all counts as a reading, whatever it brought: nothing found is an answer too.
update source set dark_since = null, detail = '', read_at = coalesce(read_at, now())
where swarm = %(swarm)s and name = %(name)s and (dark_since is not null or read_at is null)

-- name: drop_drift
delete from drift where swarm = %(swarm)s and target <> all(%(targets)s::text[])

-- name: add_drift
insert into drift (swarm, target, seen)
select %(swarm)s, g.target, g.seen from unnest(%(targets)s::text[], %(seens)s::text[]) as g (target, seen)
on conflict (swarm, target) do update set seen = excluded.seen, since = now()
where drift.seen <> excluded.seen
