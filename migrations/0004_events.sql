-- One log of what happens: every change of state writes its events in its own transaction.
--
-- Events carry the id of their transaction: readers remember which transactions they have seen, not the last sequence
-- number, since sequence order is not commit order (docs/decisions/events.md).

create table events (
    seq         bigint      generated always as identity,
    tx          xid8        not null default pg_current_xact_id(),
    kind        text        not null,
    actor       text        not null,
    project_id  uuid,
    ticket_id   uuid,
    job_id      uuid,
    attempt     integer,
    data        jsonb       not null default '{}',
    created_at  timestamptz not null default clock_timestamp(),
    constraint events_pkey primary key (seq)
);

-- What became visible since a reader's position: transactions from the oldest one that was open then.
create index events_tx_idx on events (tx);

-- How far the log has been deleted: a reader whose position is older must start again. One row.
create table event_retention (
    only_row    boolean not null default true,
    deleted_tx  xid8    not null default '0',
    constraint event_retention_pkey primary key (only_row),
    constraint event_retention_only_row_check check (only_row)
);
insert into event_retention default values;

-- `alter database … set terarchitect.events = 'off'` switches the log off, for measurements.
create function events_are_on() returns boolean language sql stable as $$
    select current_setting('terarchitect.events', true) is distinct from 'off'
$$;

-- Changes by hand. The API's own statements write their events themselves, with who made the change; what anybody else
-- writes, such as a person with psql, is recorded by these triggers. The API's connections say so in their
-- application_name, which also passes through connection poolers.
--
-- For each row, with a condition of built-in functions alone: it costs the API's statements a comparison per row. A trigger
-- with a transition table would copy every row that they change, whatever its condition says, renewed leases included.
create function record_by_hand(
    kind text, project uuid, ticket uuid, job uuid, attempt integer, data jsonb
) returns void language plpgsql as $$
begin
    insert into events (kind, actor, project_id, ticket_id, job_id, attempt, data)
    select kind, 'database:' || session_user, project, ticket, job, attempt, data where events_are_on();
    perform notify_events();
end $$;

create function notify_events() returns void language sql as $$
    select pg_notify('terarchitect_events', '')
$$;

create function agent_jobs_by_hand() returns trigger language plpgsql as $$
begin
    perform record_by_hand(case tg_op when 'INSERT' then 'job.enqueued' else 'job.changed' end,
        new.project_id, new.ticket_id, new.id, nullif(new.attempt, 0),
        jsonb_build_object('job_kind', new.kind, 'job_status', new.status, 'priority', new.priority));
    return null;
end $$;

create trigger agent_jobs_by_hand after insert or update on agent_jobs for each row
    when (current_setting('application_name') <> 'terarchitect-api') execute function agent_jobs_by_hand();

create function tickets_by_hand() returns trigger language plpgsql as $$
declare
    ticket tickets := case tg_op when 'DELETE' then old else new end;
begin
    perform record_by_hand(
        case tg_op when 'INSERT' then 'ticket.created' when 'UPDATE' then 'ticket.changed' else 'ticket.deleted' end,
        ticket.project_id, ticket.id, null, null, jsonb_build_object(
            'title', left(ticket.title, 200), 'column_id', ticket.column_id, 'status', ticket.status));
    return null;
end $$;

create trigger tickets_by_hand after insert or update or delete on tickets for each row
    when (current_setting('application_name') <> 'terarchitect-api') execute function tickets_by_hand();

create function projects_by_hand() returns trigger language plpgsql as $$
declare
    project projects := case tg_op when 'DELETE' then old else new end;
begin
    perform record_by_hand(
        case tg_op when 'INSERT' then 'project.created' when 'UPDATE' then 'project.changed' else 'project.deleted' end,
        project.id, null, null, null, jsonb_build_object('name', left(project.name, 200)));
    return null;
end $$;

create trigger projects_by_hand after insert or update or delete on projects for each row
    when (current_setting('application_name') <> 'terarchitect-api') execute function projects_by_hand();

create function agent_job_attempts_by_hand() returns trigger language plpgsql as $$
begin
    perform record_by_hand('attempt.ended', job.project_id, job.ticket_id, job.id, new.attempt,
        jsonb_build_object('outcome', new.outcome, 'reason', new.reason, 'job_status', job.status))
    from agent_jobs as job where job.id = new.job_id;
    return null;
end $$;

create trigger agent_job_attempts_by_hand after insert on agent_job_attempts for each row
    when (current_setting('application_name') <> 'terarchitect-api') execute function agent_job_attempts_by_hand();

create function execution_logs_by_hand() returns trigger language plpgsql as $$
begin
    perform record_by_hand('log.appended', new.project_id, new.ticket_id, null, null, jsonb_build_object(
        'log_id', new.id, 'step', new.step, 'success', new.success, 'summary', left(new.summary, 300)));
    return null;
end $$;

create trigger execution_logs_by_hand after insert on execution_logs for each row
    when (current_setting('application_name') <> 'terarchitect-api') execute function execution_logs_by_hand();

create function settings_by_hand() returns trigger language plpgsql as $$
begin
    perform record_by_hand('settings.changed', null, null, null, null,
        jsonb_build_object('names', jsonb_build_array(case tg_op when 'DELETE' then old.key else new.key end)));
    return null;
end $$;

create trigger settings_by_hand after insert or update or delete on settings for each row
    when (current_setting('application_name') <> 'terarchitect-api') execute function settings_by_hand();

create function coordinators_by_hand() returns trigger language plpgsql as $$
declare
    coordinator coordinators := case tg_op when 'DELETE' then old else new end;
begin
    perform record_by_hand(
        case tg_op when 'INSERT' then 'coordinator.seen' when 'UPDATE' then 'coordinator.directed'
            else 'coordinator.forgotten' end,
        null, null, null, null,
        jsonb_build_object('worker_id', coordinator.worker_id, 'directive', coordinator.directive));
    return null;
end $$;

create trigger coordinators_by_hand after insert or update or delete on coordinators for each row
    when (current_setting('application_name') <> 'terarchitect-api') execute function coordinators_by_hand();

-- A job that is deleted by hand with its ticket needs no event of its own; one that is deleted alone does not either:
-- finished jobs are deleted by retention all the time.

-- Claims write their events in the statement that claims.
-- The part of `claim_jobs` that compares projects; `places` are the workers that still want a job. Only called by it,
-- with the claims' lock held. Here a hash join is right: projects and their loads are read as a whole.
create or replace function claim_fairly(
    wanted_projects uuid[], workers text[], requests uuid[], leases_ms double precision[], places bigint[]
) returns table (
    waiter bigint, id uuid, ticket_id uuid, project_id uuid, kind text, pr_number bigint, comment_body text,
    github_comment_id bigint, attempt integer, claimed_at timestamptz, github_url text, execution_mode text,
    project_path text, agent_image text
) language plpgsql volatile rows 8 set enable_hashjoin = on as $$
#variable_conflict use_column
declare
    wanted integer := cardinality(places);
begin
    return query
    with recursive walk as (
        -- One step of the index per project, however many jobs each has.
        (select job.project_id, job.priority, job.run_at from agent_jobs as job
         where job.status = 'pending' and job.due and cardinality(wanted_projects) = 0
         order by job.project_id, job.priority desc, job.run_at, job.seq limit 1)
        union all
        select next.project_id, next.priority, next.run_at from walk
        cross join lateral (
            select job.project_id, job.priority, job.run_at from agent_jobs as job
            where job.status = 'pending' and job.due and job.project_id > walk.project_id
            order by job.project_id, job.priority desc, job.run_at, job.seq limit 1
        ) as next
    ),
    head as (
        select walk.project_id, walk.priority, walk.run_at from walk
        union all
        select named.project_id, first.priority, first.run_at from unnest(wanted_projects) as named (project_id)
        cross join lateral (
            select job.priority, job.run_at from agent_jobs as job
            where job.status = 'pending' and job.due and job.project_id = named.project_id
            order by job.priority desc, job.run_at, job.seq limit 1
        ) as first
    ),
    load as materialized (
        select job.project_id, count(*)::integer as running
        from agent_jobs as job where job.status = 'running' group by job.project_id
    ),
    share as materialized (
        -- A claim of n jobs touches at most n projects: keep the n with the least load that have work.
        select project.id as project_id, coalesce(load.running, 0) as running, project.weight,
            least(wanted, coalesce(project.max_running - coalesce(load.running, 0), wanted)) as room,
            head.priority, head.run_at
        from head
        join projects as project on project.id = head.project_id and not project.paused
        left join load on load.project_id = project.id
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
            select front.*, row_number() over (order by front.priority desc, front.run_at, front.seq) as place
            from (
                select job.id, job.priority, job.run_at, job.seq from agent_jobs as job
                where job.status = 'pending' and job.due and job.project_id = share.project_id
                order by job.priority desc, job.run_at, job.seq
                limit share.room
            ) as front
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
        select locked.id, places[row_number() over (order by locked.place)] as waiter from locked
    ),
    claimed as (
        update agent_jobs as job
        set status = 'running', attempt = job.attempt + 1, worker_id = workers[dealt.waiter],
            request_id = requests[dealt.waiter], claimed_at = clock_timestamp(),
            lease_expires_at = clock_timestamp() + leases_ms[dealt.waiter] * interval '1 millisecond'
        from dealt cross join projects as project
        where job.id = dealt.id and project.id = job.project_id
        returning dealt.waiter, job.id, job.ticket_id, job.project_id, job.kind, job.pr_number, job.comment_body,
            job.github_comment_id, job.attempt, job.claimed_at, project.github_url, project.execution_mode,
            project.project_path, project.agent_image, job.worker_id
    ),
    told as (
        insert into events (kind, actor, project_id, ticket_id, job_id, attempt, data)
        select 'job.claimed', coalesce('worker:' || claimed.worker_id, 'worker'), claimed.project_id, claimed.ticket_id,
            claimed.id, claimed.attempt, jsonb_build_object('worker_id', claimed.worker_id, 'job_kind', claimed.kind)
        from claimed where events_are_on()
    )
    select claimed.waiter, claimed.id, claimed.ticket_id, claimed.project_id, claimed.kind, claimed.pr_number,
        claimed.comment_body, claimed.github_comment_id, claimed.attempt, claimed.claimed_at, claimed.github_url,
        claimed.execution_mode, claimed.project_path, claimed.agent_image
    from claimed;
end $$;

-- Claims one due job for each of the waiting workers, as far as there are any: the projects with the fewest running
-- jobs for their weight first, within a project the highest priority, then the oldest. `wanted_projects` may be empty:
-- any project. The n-th worker gets the row whose `waiter` is n. A worker whose request got a job before, and still
-- holds it, gets that one, claimed again: `claimed_at` distinguishes a response that was lost from the one that arrived.
--
-- Call it on a connection that plans once (plan_cache_mode = force_generic_plan) and walks indexes in order with nested
-- loops (enable_seqscan, enable_bitmapscan, enable_hashjoin and enable_mergejoin off), as the dispatcher does: planning
-- costs more than the claim itself, and whatever the statistics say, a claim never reads more than it takes.
create or replace function claim_jobs(
    wanted_projects uuid[], workers text[], requests uuid[], leases_ms double precision[]
) returns table (
    waiter bigint, id uuid, ticket_id uuid, project_id uuid, kind text, pr_number bigint, comment_body text,
    github_comment_id bigint, attempt integer, claimed_at timestamptz, github_url text, execution_mode text,
    project_path text, agent_image text
) language plpgsql volatile rows 8 as $$
#variable_conflict use_column
declare
    served bigint[];
    served_jobs uuid[];
    places bigint[];
    wanted integer;
    only_project uuid;
    paused boolean;
    room integer;
begin
    -- Lock: claims of all replicas follow one another, so that limits hold exactly. It ends with this statement.
    perform pg_advisory_xact_lock(7311001);

    select array_agg(before.place), array_agg(before.id) into served, served_jobs
    from (
        select asks.place, held.id
        from unnest(workers, requests) with ordinality as asks (worker, request, place)
        cross join lateral (
            select job.id from agent_jobs as job
            where job.request_id = asks.request and job.lease_expires_at is not null
              and job.worker_id is not distinct from asks.worker
            limit 1
        ) as held
    ) as before;
    if served is null then
        wanted := cardinality(workers);
        places := array(select generate_series(1, wanted));
    else
        return query
        update agent_jobs as job
        set lease_expires_at = clock_timestamp() + leases_ms[before.place] * interval '1 millisecond',
            claimed_at = clock_timestamp()
        from unnest(served, served_jobs) as before (place, id) cross join projects as project
        where job.id = before.id and job.lease_expires_at is not null and project.id = job.project_id
        returning before.place, job.id, job.ticket_id, job.project_id, job.kind, job.pr_number, job.comment_body,
            job.github_comment_id, job.attempt, job.claimed_at, project.github_url, project.execution_mode,
            project.project_path, project.agent_image;
        places := array(select place from generate_series(1, cardinality(workers)) as place where place <> all (served));
        wanted := cardinality(places);
    end if;
    if wanted = 0 then
        return;
    end if;

    -- Work for one project alone needs no comparison of projects: the short way, for the commonest case.
    if cardinality(wanted_projects) <= 1 then
        select project.id, project.paused, least(
            wanted,
            project.max_running - case when project.max_running is not null then (
                select count(*)::integer from agent_jobs as job
                where job.status = 'running' and job.project_id = project.id
            ) end
        )
        into only_project, paused, room
        from (
            select coalesce(wanted_projects[1], (
                select job.project_id from agent_jobs as job
                where job.status = 'pending' and job.due order by job.project_id limit 1
            )) as id
        ) as first
        join projects as project on project.id = first.id
        where cardinality(wanted_projects) = 1 or not exists (
            select from agent_jobs as job where job.status = 'pending' and job.due and job.project_id > first.id
        );
    end if;
    if only_project is not null then
        if paused or room <= 0 then
            return;
        end if;
        return query
        -- Lock: the rows that are claimed; one that a move of its ticket holds at this moment is left for the next claim.
        with locked as materialized (
            select job.id from agent_jobs as job
            where job.status = 'pending' and job.due and job.project_id = only_project
            order by job.priority desc, job.run_at, job.seq
            limit room for update skip locked
        ),
        dealt as materialized (
            select locked.id, places[row_number() over ()] as waiter from locked
        ),
        claimed as (
            update agent_jobs as job
            set status = 'running', attempt = job.attempt + 1, worker_id = workers[dealt.waiter],
                request_id = requests[dealt.waiter], claimed_at = clock_timestamp(),
                lease_expires_at = clock_timestamp() + leases_ms[dealt.waiter] * interval '1 millisecond'
            from dealt cross join projects as project
            where job.id = dealt.id and project.id = job.project_id
            returning dealt.waiter, job.id, job.ticket_id, job.project_id, job.kind, job.pr_number, job.comment_body,
                job.github_comment_id, job.attempt, job.claimed_at, project.github_url, project.execution_mode,
                project.project_path, project.agent_image, job.worker_id
        ),
        told as (
            insert into events (kind, actor, project_id, ticket_id, job_id, attempt, data)
            select 'job.claimed', coalesce('worker:' || claimed.worker_id, 'worker'), claimed.project_id, claimed.ticket_id,
                claimed.id, claimed.attempt, jsonb_build_object('worker_id', claimed.worker_id, 'job_kind', claimed.kind)
            from claimed where events_are_on()
        )
        select claimed.waiter, claimed.id, claimed.ticket_id, claimed.project_id, claimed.kind, claimed.pr_number,
            claimed.comment_body, claimed.github_comment_id, claimed.attempt, claimed.claimed_at, claimed.github_url,
            claimed.execution_mode, claimed.project_path, claimed.agent_image
        from claimed;
        return;
    end if;

    return query select * from claim_fairly(wanted_projects, workers, requests, leases_ms, places);
end $$;
