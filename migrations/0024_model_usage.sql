-- What the calls of models came to: cumulative for each attempt, so that a report that is lost or repeated changes nothing.

create table model_usage (
    id           uuid        not null,
    project_id   uuid        not null,
    ticket_id    uuid        not null,
    job_id       uuid,
    attempt      integer,
    -- 'agent' or 'director'.
    whose        text        not null,
    model        text        not null,
    calls        bigint      not null,
    -- Of them, those whose tokens the model's server did not say.
    uncounted    bigint      not null,
    failed       bigint      not null,
    input        bigint      not null,
    output       bigint      not null,
    reasoning    bigint      not null,
    cache_read   bigint      not null,
    cache_write  bigint      not null,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now(),
    constraint model_usage_pkey primary key (id),
    constraint model_usage_attempt_key unique nulls not distinct (ticket_id, job_id, attempt, whose, model),
    constraint model_usage_ticket_fkey foreign key (ticket_id, project_id) references tickets (id, project_id) on delete cascade,
    constraint model_usage_whose_check check (whose in ('agent', 'director')),
    constraint model_usage_counts_check check (
        least(calls, uncounted, failed, input, output, reasoning, cache_read, cache_write) >= 0)
);

create index model_usage_project_idx on model_usage (project_id, created_at);
