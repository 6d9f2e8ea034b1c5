-- Projects with their graph, board, tickets and notes; the queue; logs; settings; memory.
-- Forward only. Applied by the API at start, under sqlx's advisory lock, so that two replicas can start at once.

create table projects (
    id              uuid        not null default gen_random_uuid(),
    name            text        not null,
    description     text,
    github_url      text,
    execution_mode  text        not null default 'docker',
    project_path    text,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    constraint projects_pkey primary key (id),
    constraint projects_execution_mode_check check (execution_mode in ('docker', 'local'))
);

create table graphs (
    id          uuid   not null default gen_random_uuid(),
    project_id  uuid   not null,
    nodes       jsonb  not null default '[]',
    edges       jsonb  not null default '[]',
    version     bigint not null default 1,
    constraint graphs_pkey primary key (id),
    constraint graphs_project_id_key unique (project_id),
    constraint graphs_project_id_fkey foreign key (project_id) references projects (id) on delete cascade
);

create table kanban_boards (
    id          uuid  not null default gen_random_uuid(),
    project_id  uuid  not null,
    columns     jsonb not null,
    constraint kanban_boards_pkey primary key (id),
    constraint kanban_boards_project_id_key unique (project_id),
    constraint kanban_boards_project_id_fkey foreign key (project_id) references projects (id) on delete cascade
);

create table tickets (
    id                   uuid        not null default gen_random_uuid(),
    project_id           uuid        not null,
    column_id            text        not null,
    title                text        not null,
    description          text,
    associated_node_ids  text[]      not null default '{}',
    associated_edge_ids  text[]      not null default '{}',
    priority             text        not null default 'medium',
    status               text        not null default 'todo',
    pr_url               text,
    pr_number            bigint,
    -- Set by a cancellation, cleared when the ticket is enqueued or completed. It stands on the ticket and not only on
    -- its job, so that a runner started from a shell, without a job, can be stopped as well.
    cancel_requested_at  timestamptz,
    created_at           timestamptz not null default now(),
    updated_at           timestamptz not null default now(),
    constraint tickets_pkey primary key (id),
    -- What a job refers to, so that a job can't name a ticket of another project.
    constraint tickets_id_project_id_key unique (id, project_id),
    constraint tickets_project_id_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint tickets_priority_check check (priority in ('low', 'medium', 'high'))
);

create index tickets_project_id_created_at_idx on tickets (project_id, created_at, id);

create table notes (
    id          uuid        not null default gen_random_uuid(),
    project_id  uuid        not null,
    node_ids    text[]      not null default '{}',
    edge_ids    text[]      not null default '{}',
    title       text,
    content     text        not null default '',
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    constraint notes_pkey primary key (id),
    constraint notes_project_id_fkey foreign key (project_id) references projects (id) on delete cascade
);

create index notes_project_id_created_at_idx on notes (project_id, created_at, id);

-- The queue: one table that a person can also insert into by hand, as the contract's test section does.
create table agent_jobs (
    id                   uuid        not null default gen_random_uuid(),
    -- The order of insertion: breaks ties between jobs of one moment, and pages through lists.
    seq                  bigint      generated always as identity,
    ticket_id            uuid        not null,
    project_id           uuid        not null,
    kind                 text        not null default 'ticket',
    status               text        not null default 'pending',
    pr_number            bigint,
    comment_body         text,
    github_comment_id    bigint,
    priority             integer     not null default 0,
    run_at               timestamptz not null default now(),
    attempt              integer     not null default 0,
    failures             integer     not null default 0,
    worker_id            text,
    request_id           uuid,
    claimed_at           timestamptz,
    -- In no index, so that renewing leases stays a heap-only update.
    lease_expires_at     timestamptz,
    cancel_requested_at  timestamptz,
    -- The ticket came back to In Progress while its cancelled run was still stopping: run it once more afterwards.
    requeue_requested    boolean     not null default false,
    finished_at          timestamptz,
    outcome_reason       text,
    created_at           timestamptz not null default now(),
    constraint agent_jobs_pkey primary key (id),
    constraint agent_jobs_ticket_id_project_id_fkey foreign key (ticket_id, project_id)
        references tickets (id, project_id) on delete cascade,
    constraint agent_jobs_kind_check check (kind in ('ticket', 'review')),
    constraint agent_jobs_status_check check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
    constraint agent_jobs_running_has_lease_check check (status <> 'running' or lease_expires_at is not null),
    constraint agent_jobs_finished_at_check
        check ((status in ('completed', 'failed', 'cancelled')) = (finished_at is not null))
) with (fillfactor = 80);

-- At most one live job per ticket and kind.
create unique index agent_jobs_live_key on agent_jobs (ticket_id, kind) where status in ('pending', 'running');
create index agent_jobs_pending_idx on agent_jobs (project_id, priority desc, run_at, seq) where status = 'pending';
create index agent_jobs_running_idx on agent_jobs (project_id) where status = 'running';
create index agent_jobs_ticket_id_idx on agent_jobs (ticket_id, seq desc);

-- Every ended attempt, with why it ended.
create table agent_job_attempts (
    job_id      uuid        not null,
    attempt     integer     not null,
    worker_id   text,
    claimed_at  timestamptz,
    ended_at    timestamptz not null default now(),
    outcome     text        not null,
    reason      text        not null,
    detail      text,
    exit_code   integer,
    oom_killed  boolean,
    log_tail    text,
    constraint agent_job_attempts_pkey primary key (job_id, attempt),
    constraint agent_job_attempts_job_id_fkey foreign key (job_id) references agent_jobs (id) on delete cascade,
    constraint agent_job_attempts_outcome_check check (outcome in ('completed', 'failed', 'cancelled', 'retried'))
);

create table execution_logs (
    id          uuid        not null default gen_random_uuid(),
    seq         bigint      generated always as identity,
    project_id  uuid        not null,
    ticket_id   uuid        not null,
    session_id  text        not null,
    step        text        not null,
    summary     text        not null default '',
    raw_output  text,
    success     boolean     not null default true,
    -- Chosen by the sender, so that an entry sent twice is stored once.
    entry_key   uuid,
    created_at  timestamptz not null default now(),
    constraint execution_logs_pkey primary key (id),
    constraint execution_logs_entry_key_key unique (ticket_id, entry_key),
    constraint execution_logs_ticket_id_project_id_fkey foreign key (ticket_id, project_id)
        references tickets (id, project_id) on delete cascade
);

create index execution_logs_ticket_id_seq_idx on execution_logs (ticket_id, seq);

-- A setting is either in the clear, or sealed with the key that key_id names.
create table settings (
    key         text        not null,
    value       text,
    sealed      bytea,
    key_id      text,
    updated_at  timestamptz not null default now(),
    constraint settings_pkey primary key (key),
    constraint settings_value_or_sealed_check check ((value is null) <> (sealed is null)),
    constraint settings_sealed_has_key_id_check check ((sealed is null) = (key_id is null))
);

create table memory_documents (
    id              uuid        not null default gen_random_uuid(),
    project_id      uuid        not null,
    content         text        not null,
    content_sha256  bytea       not null,
    words           tsvector    generated always as (to_tsvector('english', content)) stored,
    created_at      timestamptz not null default now(),
    constraint memory_documents_pkey primary key (id),
    constraint memory_documents_content_key unique (project_id, content_sha256),
    constraint memory_documents_project_id_fkey foreign key (project_id) references projects (id) on delete cascade
);

create index memory_documents_words_idx on memory_documents using gin (words);
