-- The fleet as people see it: what coordinators report about their hosts, fewer slots than a coordinator has of its own, a
-- stop of everything; and what a person has put off in the inbox.

alter table coordinators
    -- At most this many jobs at once, where a person wants fewer than the coordinator's own slots.
    add column slot_limit        integer,
    add column disk_free_bytes   bigint,
    add column disk_total_bytes  bigint,
    -- The container engine and its version.
    add column engine            text,
    -- How many jobs of an earlier process it took over at its start.
    add column adopted           integer,
    -- What its checks found: a list of {check, ok, sentence, fix}.
    add column findings          jsonb,
    -- The projects that it claims for; null means any.
    add column projects          uuid[],
    add constraint coordinators_slot_limit_check check (slot_limit > 0);

-- A limit reaches the coordinator through whichever replica it talks to, like a directive.
create trigger coordinators_limit_notify after update of slot_limit on coordinators
    for each row when (old.slot_limit is distinct from new.slot_limit) execute function settings_notify();

-- Whether everything is stopped: nothing is claimed then, by any replica. One row.
create table queue_state (
    only_row    boolean     not null default true,
    stopped_at  timestamptz,
    stopped_by  text,
    constraint queue_state_pkey primary key (only_row),
    constraint queue_state_only_row_check check (only_row)
);
insert into queue_state default values;

-- Waiting claims of all replicas look again at once, also after a change by hand.
create function queue_state_notify() returns trigger language plpgsql as $$
begin
    perform pg_notify('terarchitect_jobs', '');
    return null;
end $$;

create trigger queue_state_notify after update on queue_state
    for each row when (old.stopped_at is not null and new.stopped_at is null) execute function queue_state_notify();

-- A ticket that a person does not want to see in the inbox until then.
create table inbox_snoozes (
    ticket_id   uuid        not null,
    until       timestamptz not null,
    snoozed_by  text        not null,
    created_at  timestamptz not null default now(),
    constraint inbox_snoozes_pkey primary key (ticket_id),
    constraint inbox_snoozes_ticket_id_fkey foreign key (ticket_id) references tickets (id) on delete cascade
);

-- The tickets that may wait for a person, among many that are done.
create index tickets_open_idx on tickets (project_id) where column_id in ('in_progress', 'in_review');
-- The newest plan of a ticket, among thousands of other entries.
create index execution_logs_plan_idx on execution_logs (ticket_id, seq desc) where data ->> 'kind' = 'plan';

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

    -- Read after the lock was taken: a stop of everything takes the same lock, so that no claim comes after it.
    if (select state.stopped_at is not null from queue_state as state) then
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
