-- Jobs that wait for a person: checkpoints, what they hold, and the conversations that go on after them.

alter table agent_jobs
    -- Since when it waits for a person: pending, but not due, without a worker. To people and programs outside it is running.
    add column held_at      timestamptz,
    -- Where it stops for a person: a list of {stage, type, message}; null: nowhere.
    add column checkpoints  jsonb,
    add constraint agent_jobs_held_at_check check (held_at is null or (not due and lease_expires_at is null));

-- A held job has no time that comes.
drop index agent_jobs_delayed_idx;
create index agent_jobs_delayed_idx on agent_jobs (run_at)
    where status = 'pending' and not due and held_at is null;
create index agent_jobs_held_idx on agent_jobs (project_id) where held_at is not null;

alter table agent_job_attempts
    drop constraint agent_job_attempts_outcome_check,
    add constraint agent_job_attempts_outcome_check
        check (outcome in ('completed', 'failed', 'cancelled', 'retried', 'released', 'held'));

-- What waits for a person, or tells one something.
create table checkpoints (
    id          uuid        not null,
    seq         bigint      generated always as identity,
    project_id  uuid        not null,
    ticket_id   uuid        not null,
    job_id      uuid        not null,
    -- The attempt that opened it; null: it was opened with the job.
    attempt     integer,
    -- What makes it one among those of its job, so that it is opened once, whatever is repeated.
    key         text        not null,
    type        text        not null,
    -- What it is about, where a policy asks for it.
    stage       text,
    status      text        not null default 'pending',
    message     text        not null,
    data        jsonb       not null default '{}',
    metadata    jsonb       not null default '{}',
    -- Who decided, as events name them, and when.
    decided_by  text,
    decided_at  timestamptz,
    -- What the person said to it: an answer to the agent, or why it is rejected.
    words       text,
    expires_at  timestamptz not null,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    constraint checkpoints_pkey primary key (id),
    constraint checkpoints_key_key unique (job_id, key),
    constraint checkpoints_type_check check (type in ('approval_required', 'info', 'error')),
    constraint checkpoints_stage_check check (stage in ('start', 'plan', 'diff', 'output', 'question')),
    constraint checkpoints_status_check check (status in ('pending', 'approved', 'rejected', 'expired')),
    constraint checkpoints_decided_at_check check ((status = 'pending') = (decided_at is null)),
    constraint checkpoints_job_id_fkey foreign key (job_id) references agent_jobs (id) on delete cascade,
    constraint checkpoints_ticket_id_fkey foreign key (ticket_id, project_id)
        references tickets (id, project_id) on delete cascade
);

create unique index checkpoints_seq_key on checkpoints (seq);
create index checkpoints_pending_idx on checkpoints (expires_at) where status = 'pending';
create index checkpoints_ticket_id_idx on checkpoints (ticket_id, project_id);

-- How many checkpoints have been decided, in each way: metrics count them without reading them.
create index checkpoints_status_idx on checkpoints (status);

-- What the agent and the Director of a live job remember, after each turn: the next attempt, on any host, goes on from there.
create table conversations (
    job_id      uuid        not null,
    project_id  uuid        not null,
    ticket_id   uuid        not null,
    attempt     integer     not null,
    turn        integer     not null,
    -- The agent program whose conversation it is.
    agent       text        not null,
    -- As the runner packed it.
    archive     bytea       not null,
    created_at  timestamptz not null default now(),
    constraint conversations_pkey primary key (job_id),
    constraint conversations_job_id_fkey foreign key (job_id) references agent_jobs (id) on delete cascade
);

-- Compressed already.
alter table conversations alter column archive set storage external;
