-- What people do: answers, freezes, words on missions. Each in one transaction with its trail event.

-- name: mission_head
select swarm, trail_seq, trail_hash, ended_at, need, now() from mission
where id = %(id)s for no key update

-- name: advance_mission
update mission
set trail_seq = %(seq)s, trail_hash = %(hash)s, version = version + 1, revision = revision + 1
where id = %(id)s

-- name: questions
-- Open ones, and what this person answered a moment ago: an answer whose commit was lost on its way
-- back is given again, and must then not be told that there is nothing to answer.
select id, commit, expires_at, state, expires_at <= now() as late
from approval
where mission = %(mission)s and (state = 'open'
  or (approver, reason) = (%(by)s, %(reason)s) and answered_at > now() - interval '1 minute')
order by state <> 'open', asked_at desc, id for no key update

-- name: answer
update approval
set state = %(state)s, approver = %(by)s, reason = %(reason)s, answered_at = now(),
    expires_at = coalesce(now() + %(lasts)s::interval, expires_at)
where id = %(id)s and state = 'open'
returning expires_at

-- name: say
insert into evidence (id, mission, swarm, kind, at, body)
values (%(id)s, %(mission)s, %(swarm)s, 'person-said', %(at)s, %(body)s::json)
on conflict (id) do nothing

-- name: swarm_head
select trail_seq, trail_hash, now() from swarm where id = %(id)s for no key update

-- name: open_freezes
select id, mission_class, reason, detail, cause, since, until, requalified, needs_token, by
from frozen
where swarm = %(swarm)s and lifted_at is null
  and (%(freeze)s::text is null or id = %(freeze)s)
  and (%(mission_class)s::text is null or mission_class = %(mission_class)s)
order by since, id for no key update

-- name: accept_token
update frozen set needs_token = false where id = %(id)s

-- name: need
select id, swarm, state, mission_class from need where id = %(id)s for no key update

-- name: move_need
update need set state = %(state)s, state_at = now(), state_reason = %(reason)s, not_before = null
where id = %(id)s
