-- The catalogue of agents and repositories, and work orders: tickets that are launched as they are created.

-- Who may work on an order, and how: the program, its model, and what it is told.
create table agents (
    id                   uuid        not null default gen_random_uuid(),
    -- What programs call it.
    slug                 text        not null,
    name                 text        not null,
    description          text,
    program              text        not null default 'opencode',
    model                text,
    -- The name of the credential that it works with, where that is not the usual one.
    credential           text,
    system_prompt        text,
    default_config       jsonb       not null default '{}',
    notification_config  jsonb       not null default '{}',
    -- As it last said of itself; one that has been silent for ten minutes is offline, whatever this says.
    status               text        not null default 'offline',
    last_heartbeat       timestamptz,
    created_at           timestamptz not null default now(),
    updated_at           timestamptz not null default now(),
    constraint agents_pkey primary key (id),
    constraint agents_slug_key unique (slug),
    constraint agents_program_check check (program in ('opencode', 'cursor')),
    constraint agents_status_check check (status in ('active', 'idle', 'offline', 'error'))
);

-- A project as a repository of the catalogue: what projects have no field for.
create table agent_repos (
    project_id       uuid        not null,
    -- Who works on its orders that name no agent.
    agent_id         uuid,
    default_branch   text        not null default 'main',
    hooks_installed  boolean     not null default false,
    updated_at       timestamptz not null default now(),
    constraint agent_repos_pkey primary key (project_id),
    constraint agent_repos_project_id_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint agent_repos_agent_id_fkey foreign key (agent_id) references agents (id) on delete set null
);

create index agent_repos_agent_id_idx on agent_repos (agent_id);

-- What a work order has beside its ticket. Its status is that of its ticket's job; only where no job says it, it is here.
create table work_orders (
    ticket_id             uuid             not null,
    project_id            uuid             not null,
    -- The order of creation: what lists are sorted by.
    seq                   bigint           generated always as identity,
    agent_id              uuid,
    source                text             not null default 'cloud',
    objective             text             not null,
    branch_name           text,
    -- What Cursor calls the agent that works on it.
    cursor_agent_id       text,
    summary               text,
    -- Why it was not launched; null once it is.
    launch_error          text,
    error_message         text,
    parent_work_order_id  uuid,
    tokens_input          bigint,
    tokens_output         bigint,
    total_cost            double precision,
    model                 text,
    duration_ms           bigint,
    lines                 jsonb            not null default '[]',
    constraints           jsonb            not null default '{}',
    exploration_hints     jsonb            not null default '{}',
    verification          jsonb            not null default '{}',
    metadata              jsonb            not null default '{}',
    idempotency_key       text,
    -- An agent that was not launched from here has begun.
    started_at            timestamptz,
    -- How it ended where no job says it, or against what a job says that was not claimed.
    ended_as              text,
    ended_at              timestamptz,
    created_at            timestamptz      not null default now(),
    updated_at            timestamptz      not null default now(),
    constraint work_orders_pkey primary key (ticket_id),
    constraint work_orders_seq_key unique (seq),
    constraint work_orders_ticket_id_project_id_fkey foreign key (ticket_id, project_id)
        references tickets (id, project_id) on delete cascade,
    constraint work_orders_agent_id_fkey foreign key (agent_id) references agents (id) on delete set null,
    constraint work_orders_source_check check (source in ('cloud', 'local', 'job')),
    constraint work_orders_ended_as_check check (ended_as in ('completed', 'failed', 'cancelled')),
    constraint work_orders_ended_at_check check ((ended_as is null) = (ended_at is null))
);

create index work_orders_project_id_seq_idx on work_orders (project_id, seq desc);
create index work_orders_source_seq_idx on work_orders (source, seq desc);
create index work_orders_agent_id_seq_idx on work_orders (agent_id, seq desc);
create unique index work_orders_cursor_agent_id_key on work_orders (cursor_agent_id) where cursor_agent_id is not null;
create unique index work_orders_idempotency_key on work_orders (project_id, idempotency_key)
    where idempotency_key is not null;

-- Who may claim a job: coordinators, for a container, or what launches agents in a cloud. A job for the cloud is never due,
-- which is what claims of coordinators look for, so that they need not know of it: neither their statement nor the index that
-- it walks.
alter table agent_jobs
    add column runs_on text not null default 'container',
    add constraint agent_jobs_runs_on_check check (runs_on in ('container', 'cloud')),
    add constraint agent_jobs_cloud_is_never_due_check check (runs_on = 'container' or not due);

create index agent_jobs_cloud_idx on agent_jobs (run_at, seq) where status = 'pending' and runs_on = 'cloud';

drop trigger agent_jobs_delay on agent_jobs;
create trigger agent_jobs_delay before insert on agent_jobs
    for each row when (new.run_at > now() or new.runs_on = 'cloud') execute function agent_jobs_delay();

-- Once per statement, never per row. `delayed` notifies what makes jobs due that there is a new next time; what launches
-- agents in a cloud listens on a channel of its own.
create or replace function agent_jobs_notify() returns trigger language plpgsql as $$
begin
    perform notify_due(array(select distinct project_id from inserted where due and status = 'pending'));
    if exists (select from inserted where not due and status = 'pending' and runs_on = 'container') then
        perform pg_notify('terarchitect_jobs', 'delayed');
    end if;
    if exists (select from inserted where status = 'pending' and runs_on = 'cloud') then
        perform pg_notify('terarchitect_cloud', '');
    end if;
    return null;
end $$;
