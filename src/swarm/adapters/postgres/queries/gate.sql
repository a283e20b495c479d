-- The chains of gate records: taken over by epoch, appended under a fence, read whole.

-- name: take_over
insert into gate_head (chain, epoch) values (%(chain)s, 1)
on conflict (chain) do update set epoch = gate_head.epoch + 1
returning epoch, seq, hash

-- name: name_session
select set_config('application_name', %(me)s, false)

-- name: hold_chain
select pg_try_advisory_lock(hashtextextended(%(chain)s, 351))

-- name: who_holds_chain
select coalesce(nullif(a.application_name, ''), 'the session ' || l.pid)
from pg_locks l join pg_stat_activity a using (pid), hashtextextended(%(chain)s, 351) as key
where l.locktype = 'advisory' and l.granted and l.objsubid = 1
  and l.database = (select oid from pg_database where datname = current_database())
  and (l.classid::bigint << 32) | l.objid::bigint = key

-- name: records
select seq, at, kind, actor, body, hash from gate_record where chain = %(chain)s order by seq

-- name: gate_chain_head
select epoch, seq, hash from gate_head where chain = %(chain)s

-- name: advance_head
update gate_head set seq = %(seq)s, hash = %(hash)s
where chain = %(chain)s and epoch = %(epoch)s and seq = %(was)s

-- name: append_records
insert into gate_record
  (chain, seq, at, at_ns, kind, actor, body, hash, order_id, accepted, nonce)
select %(chain)s, g.seq, g.at, g.at_ns, g.kind, %(actor)s, g.body, g.hash, g.order_id, g.accepted,
       g.nonce
from unnest(%(seqs)s::bigint[], %(ats)s::timestamptz[], %(at_nss)s::bigint[], %(kinds)s::text[],
            %(bodies)s::text[], %(hashes)s::bytea[], %(orders)s::text[], %(accepted)s::bool[],
            %(nonces)s::text[])
  as g (seq, at, at_ns, kind, body, hash, order_id, accepted, nonce)

-- name: put_limit_set
insert into limit_set (name, version, hash, body, signature, signer)
values (%(name)s, %(version)s, %(hash)s, %(body)s, %(signature)s, %(signer)s)
on conflict (name, version) do nothing
returning true

-- name: limit_sets
select version, hash, body, signature, signer, at from limit_set
where name = %(name)s order by version desc limit %(limit)s

-- name: newest_limits
select hash from limit_set where name = %(name)s order by version desc limit 1

-- name: put_evidence
insert into control_evidence (id, kind, subject, at, passed, body)
values (%(id)s, %(kind)s, %(subject)s, %(at)s, %(passed)s, %(body)s::jsonb)
on conflict (id) do nothing

-- name: evidence_between
select id, kind, subject, (extract(epoch from at) * 1000000)::bigint * 1000, passed
from control_evidence
where at >= %(since)s and at < %(until)s
  and (%(kinds)s::text[] is null or kind = any(%(kinds)s::text[]))
order by kind, subject, at, id

-- name: evidence_told
select subject, body from control_evidence where kind = %(kind)s
order by at desc, id limit %(limit)s

-- name: put_assessment
insert into assessment (id, since, until, body, missing, signers)
values (%(id)s, %(since)s, %(until)s, %(body)s, %(missing)s::text[], %(signers)s::text[])
on conflict (id) do nothing

-- name: assessments
select id, since, until, at, missing, signers, body from assessment order by until desc, at desc
