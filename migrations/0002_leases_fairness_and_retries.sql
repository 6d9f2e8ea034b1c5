-- What makes the queue safe with many workers and fair between projects: delays, limits, retries, idempotency, the list
-- of coordinators, and the claim as one statement.

alter table projects
    -- How many of its jobs may run at once; null means any number.
    add column max_running          integer,
    -- Its share of the running slots, against other projects.
    add column weight               integer not null default 1,
    -- Nothing of it is claimed while it is paused.
    add column paused               boolean not null default false,
    -- How often a failure of the agent itself is tried again. None by default, since agents cost money.
    add column retry_agent_failures integer not null default 0,
    -- An image that its jobs want instead of the coordinator's.
    add column agent_image          text,
    add constraint projects_max_running_check check (max_running > 0),
    add constraint projects_weight_check check (weight between 1 and 1000),
    add constraint projects_retry_agent_failures_check check (retry_agent_failures between 0 and 100);

alter table agent_jobs
    -- False until run_at has come, so that delayed jobs don't stand in the way of the ones that can be claimed.
    add column due              boolean not null default true,
    add column idempotency_key  text;

drop index agent_jobs_pending_idx;
create index agent_jobs_due_idx on agent_jobs (project_id, priority desc, run_at, seq) where status = 'pending' and due;
create index agent_jobs_delayed_idx on agent_jobs (run_at) where status = 'pending' and not due;
create unique index agent_jobs_idempotency_key on agent_jobs (project_id, idempotency_key)
    where idempotency_key is not null;
-- A claim repeated after a lost answer finds its job by this, and so does a coordinator that recovers.
create index agent_jobs_worker_idx on agent_jobs (worker_id, request_id) where status = 'running';
create index agent_jobs_project_id_seq_idx on agent_jobs (project_id, seq desc);
create unique index agent_jobs_seq_key on agent_jobs (seq);
create index agent_jobs_finished_at_idx on agent_jobs (finished_at) where finished_at is not null;

-- The queue's rows change three times each; vacuum early, before the claims feel it.
alter table agent_jobs set (
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0
);

alter table agent_job_attempts
    drop constraint agent_job_attempts_outcome_check,
    add constraint agent_job_attempts_outcome_check
        check (outcome in ('completed', 'failed', 'cancelled', 'retried', 'released'));

create index execution_logs_created_at_idx on execution_logs using brin (created_at);

create table coordinators (
    worker_id          text        not null,
    name               text,
    version            text,
    slots              integer,
    held               integer     not null default 0,
    directive          text        not null default 'run',
    first_seen_at      timestamptz not null default now(),
    last_heartbeat_at  timestamptz not null default now(),
    constraint coordinators_pkey primary key (worker_id),
    constraint coordinators_directive_check check (directive in ('run', 'drain'))
) with (fillfactor = 50);

-- A job inserted for later is not due yet, whoever inserts it.
create function agent_jobs_delay() returns trigger language plpgsql as $$
begin
    new.due := false;
    return new;
end $$;

create trigger agent_jobs_delay before insert on agent_jobs
    for each row when (new.run_at > now()) execute function agent_jobs_delay();

-- Wakes waiting claims: once per statement, never per row, also for a row that a person inserts by hand.
create function agent_jobs_notify() returns trigger language plpgsql as $$
begin
    perform pg_notify('terarchitect_jobs', case when exists (select from inserted where not due) then 'delayed' else '' end);
    return null;
end $$;

create trigger agent_jobs_notify after insert on agent_jobs
    referencing new table as inserted
    for each statement execute function agent_jobs_notify();

create function settings_notify() returns trigger language plpgsql as $$
begin
    perform pg_notify('terarchitect_settings', '');
    return null;
end $$;

create trigger settings_notify after insert or update or delete on settings
    for each statement execute function settings_notify();

-- Claims one due job for each of the waiting workers, as far as there are any: the projects with the fewest running
-- jobs for their weight first, within a project the highest priority, then the oldest. `wanted_projects` may be empty:
-- any project. The n-th worker gets the row whose `waiter` is n.
create function claim_jobs(
    wanted_projects uuid[], workers text[], requests uuid[], leases_ms double precision[]
) returns table (
    waiter bigint, id uuid, ticket_id uuid, project_id uuid, kind text, pr_number bigint, comment_body text,
    github_comment_id bigint, attempt integer
) language plpgsql volatile as $$
#variable_conflict use_column
declare
    wanted integer := cardinality(workers);
    projects_with_work uuid[];
begin
    -- Lock: claims of all replicas follow one another, so that limits hold exactly. It ends with this statement.
    perform pg_advisory_xact_lock(7311001);

    if cardinality(wanted_projects) > 0 then
        projects_with_work := wanted_projects;
    else
        -- One step of the index per project, however many jobs each has.
        with recursive step as (
            (select job.project_id from agent_jobs as job where job.status = 'pending' and job.due
             order by job.project_id limit 1)
            union all
            select (select job.project_id from agent_jobs as job
                    where job.status = 'pending' and job.due and job.project_id > step.project_id
                    order by job.project_id limit 1)
            from step where step.project_id is not null
        )
        select array_agg(step.project_id) into projects_with_work from step where step.project_id is not null;
    end if;

    return query
    with load as materialized (
        select job.project_id, count(*)::integer as running
        from agent_jobs as job where job.status = 'running' group by job.project_id
    ),
    share as materialized (
        -- A claim of n jobs touches at most n projects: keep the n with the least load that have work.
        select project.id as project_id, coalesce(load.running, 0) as running, project.weight,
            least(wanted, coalesce(project.max_running - coalesce(load.running, 0), wanted)) as room,
            head.priority, head.run_at
        from unnest(projects_with_work) as with_work (project_id)
        join projects as project on project.id = with_work.project_id and not project.paused
        left join load on load.project_id = project.id
        cross join lateral (
            select job.priority, job.run_at from agent_jobs as job
            where job.status = 'pending' and job.due and job.project_id = project.id
            order by job.priority desc, job.run_at, job.seq limit 1
        ) as head
        where coalesce(load.running, 0) < coalesce(project.max_running, 2147483647)
        order by (coalesce(load.running, 0) + 1)::float8 / project.weight, head.priority desc, head.run_at
        limit wanted
    ),
    picked as materialized (
        select next.id, row_number() over (
            order by (share.running + next.place)::float8 / share.weight, next.priority desc, next.run_at, next.seq
        ) as place
        from share
        cross join lateral (
            select head.*, row_number() over (order by head.priority desc, head.run_at, head.seq) as place
            from (
                select job.id, job.priority, job.run_at, job.seq from agent_jobs as job
                where job.status = 'pending' and job.due and job.project_id = share.project_id
                order by job.priority desc, job.run_at, job.seq
                limit share.room
            ) as head
        ) as next
        order by place
        limit wanted
    ),
    -- Lock: the picked rows; one that a move of its ticket holds at this moment is left for the next claim.
    locked as materialized (
        select job.id, picked.place from picked join agent_jobs as job on job.id = picked.id
        where job.status = 'pending'
        for update of job skip locked
    ),
    dealt as materialized (
        select locked.id, row_number() over (order by locked.place) as waiter from locked
    )
    update agent_jobs as job
    set status = 'running', attempt = job.attempt + 1, worker_id = workers[dealt.waiter],
        request_id = requests[dealt.waiter], claimed_at = clock_timestamp(),
        lease_expires_at = clock_timestamp() + leases_ms[dealt.waiter] * interval '1 millisecond'
    from dealt
    where job.id = dealt.id
    returning dealt.waiter, job.id, job.ticket_id, job.project_id, job.kind, job.pr_number, job.comment_body,
        job.github_comment_id, job.attempt;
end $$;
