-- Agents that work in a cloud: each is the launch of one attempt. The row is there before the launch, so that whatever happens
-- around it, the same launch is looked for before it is repeated.

create table cloud_agents (
    -- Names the launch: an agent is found by it, or by the branch that is made of it.
    id            uuid        not null,
    job_id        uuid        not null,
    attempt       integer     not null,
    project_id    uuid        not null,
    ticket_id     uuid        not null,
    state         text        not null default 'launching',
    branch        text        not null,
    -- What the cloud calls the agent.
    agent_id      text,
    url           text,
    -- What a webhook said: how the agent's work ended.
    said_status   text,
    said_pull     text,
    said_branch   text,
    said_summary  text,
    -- How many times in turn the cloud gave no response, and why not.
    tries         integer     not null default 0,
    reason        text,
    -- When it is looked at next; while a process does, until when no other one may.
    next_at       timestamptz not null default now(),
    created_at    timestamptz not null default now(),
    launched_at   timestamptz,
    ended_at      timestamptz,
    constraint cloud_agents_pkey primary key (id),
    constraint cloud_agents_attempt_key unique (job_id, attempt),
    constraint cloud_agents_job_id_fkey foreign key (job_id) references agent_jobs (id) on delete cascade,
    constraint cloud_agents_state_check check (state in ('launching', 'working', 'ended')),
    constraint cloud_agents_working_has_agent_check check (state <> 'working' or agent_id is not null),
    constraint cloud_agents_ended_at_check check ((state = 'ended') = (ended_at is not null))
);

create index cloud_agents_next_at_idx on cloud_agents (next_at) where state <> 'ended';
create unique index cloud_agents_agent_id_key on cloud_agents (agent_id) where agent_id is not null;

-- What the cloud's webhook delivered, before anything is done with it. An agent that is not known yet becomes known when its
-- launch is noted, and what was said about it counts then.
create table cloud_notices (
    delivery_id  text        not null,
    agent_id     text        not null,
    status       text,
    body         text        not null,
    received_at  timestamptz not null default now(),
    constraint cloud_notices_pkey primary key (delivery_id)
);

create index cloud_notices_agent_id_idx on cloud_notices (agent_id, received_at);
create index cloud_notices_received_at_idx on cloud_notices (received_at);
