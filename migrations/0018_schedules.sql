-- Schedules: work orders that are created at times of their own, and each time that one was due.

create table scheduled_jobs (
    id                   uuid        not null default gen_random_uuid(),
    name                 text        not null,
    description          text,
    -- Five fields, read in the time zone.
    cron_expression      text        not null,
    timezone             text        not null default 'UTC',
    -- The repository; null: the agent's only one.
    project_id           uuid,
    agent_id             uuid,
    -- What its orders say.
    work_order_template  jsonb       not null default '{}',
    enabled              boolean     not null default true,
    -- What happens to times that passed while nothing could run: the last of them is run late, or none.
    missed               text        not null default 'run',
    -- What happens while an earlier run is still going.
    overlap              text        not null default 'skip',
    last_run_at          timestamptz,
    -- Null: never by itself.
    next_run_at          timestamptz,
    created_by           text        not null,
    created_at           timestamptz not null default now(),
    updated_at           timestamptz not null default now(),
    constraint scheduled_jobs_pkey primary key (id),
    constraint scheduled_jobs_project_id_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint scheduled_jobs_agent_id_fkey foreign key (agent_id) references agents (id) on delete set null,
    constraint scheduled_jobs_missed_check check (missed in ('run', 'skip')),
    constraint scheduled_jobs_overlap_check check (overlap in ('skip', 'allow'))
);

create index scheduled_jobs_next_run_at_idx on scheduled_jobs (next_run_at) where enabled;
create index scheduled_jobs_project_id_idx on scheduled_jobs (project_id, created_at);
create index scheduled_jobs_agent_id_idx on scheduled_jobs (agent_id);

create table job_runs (
    id             uuid        not null,
    job_id         uuid        not null,
    -- When it was due; null: a person started it.
    due_at         timestamptz,
    -- The order, whose status is the run's; null where none was created, or it was deleted.
    work_order_id  uuid,
    -- How it ended where there is no order.
    status         text,
    error_message  text,
    -- How many times before this one passed without a run.
    missed         integer     not null default 0,
    started_at     timestamptz not null default now(),
    constraint job_runs_pkey primary key (id),
    -- Whatever fires a schedule, each time is fired once.
    constraint job_runs_due_at_key unique (job_id, due_at),
    constraint job_runs_job_id_fkey foreign key (job_id) references scheduled_jobs (id) on delete cascade,
    constraint job_runs_work_order_id_fkey foreign key (work_order_id) references tickets (id) on delete set null,
    constraint job_runs_status_check check (status in ('failed', 'skipped')),
    constraint job_runs_missed_check check (missed >= 0)
);

create index job_runs_job_id_started_at_idx on job_runs (job_id, started_at desc, id);
-- Those that may be still going.
create index job_runs_with_order_idx on job_runs (job_id, started_at desc) where work_order_id is not null;
create index job_runs_work_order_id_idx on job_runs (work_order_id);
create index job_runs_started_at_idx on job_runs (started_at);
