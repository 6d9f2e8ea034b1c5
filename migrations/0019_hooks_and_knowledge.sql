-- What agents that run elsewhere report through hooks, and what is learnt from work.

alter table work_orders
    -- How many times an agent that stopped was told what is left to do.
    add column followups integer not null default 0;

-- What is known, beside the memory of projects: with who learnt it, and how often.
create table knowledge (
    id               uuid         not null default gen_random_uuid(),
    project_id       uuid         not null,
    work_order_id    uuid,
    agent_type       text,
    learning         text         not null,
    learning_sha256  bytea        not null,
    words            tsvector     generated always as (to_tsvector('english', learning)) stored,
    -- Of unit length, so that a sum of products is the cosine; null where nothing makes them.
    embedding        real[],
    embedding_model  text,
    -- How many times it was learnt.
    frequency        integer      not null default 1,
    created_at       timestamptz  not null default now(),
    last_seen_at     timestamptz  not null default now(),
    constraint knowledge_pkey primary key (id),
    constraint knowledge_learning_key unique (project_id, learning_sha256),
    constraint knowledge_project_id_fkey foreign key (project_id) references projects (id) on delete cascade
);

create index knowledge_words_idx on knowledge using gin (words);
create index knowledge_project_id_last_seen_at_idx on knowledge (project_id, last_seen_at desc);
-- What is compared by meaning, of one model.
create index knowledge_embedding_model_idx on knowledge (embedding_model, last_seen_at desc) where embedding is not null;

-- Jobs for a cloud are never made due, so they need no place among those that are.
drop index agent_jobs_delayed_idx;
create index agent_jobs_delayed_idx on agent_jobs (run_at)
    where status = 'pending' and not due and held_at is null and runs_on = 'container';
drop index agent_jobs_cloud_idx;
create index agent_jobs_cloud_idx on agent_jobs (run_at, seq)
    where status = 'pending' and runs_on = 'cloud' and held_at is null;
