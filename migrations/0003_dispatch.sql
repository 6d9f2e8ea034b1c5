-- One dispatcher per process claims for many waiting requests: notifications say which projects have something new, a
-- claim repeated after a lost answer is answered by the claim itself, and heads of projects are found in one step each.

-- A repeated claim is found by its request alone, also one of a client that does not name itself. Not by the status: the
-- planner would then take the small index of running jobs and read all of it. A job that ends forgets its request.
drop index agent_jobs_worker_idx;
create index agent_jobs_request_idx on agent_jobs (request_id) where request_id is not null;

-- Only retention asks for it, which is off by default: an index that costs next to nothing to keep.
drop index agent_jobs_finished_at_idx;
create index agent_jobs_finished_at_idx on agent_jobs using brin (finished_at) where finished_at is not null;
-- Failures are few among many: listing them must not read all that went well.
create index agent_jobs_ended_badly_idx on agent_jobs (status, seq desc) where status in ('failed', 'cancelled');

alter table agent_jobs
    -- The job that this one tries again, on a person's request.
    add column retry_of  uuid;

alter table agent_job_attempts
    -- What its worker reported: the same again is answered as before. Null where nobody did, as with a lost lease.
    add column reported text;

-- Tells waiting claims of all replicas that these projects may have something for them; too many to name mean any.
create function notify_due(projects uuid[]) returns void language plpgsql as $$
begin
    if cardinality(projects) > 0 then
        perform pg_notify(
            'terarchitect_jobs',
            'due:' || case when cardinality(projects) > 100 then '' else array_to_string(projects, ',') end
        );
    end if;
end $$;

-- Once per statement, never per row. `delayed` tells whoever makes jobs due to look at the next time again.
create or replace function agent_jobs_notify() returns trigger language plpgsql as $$
begin
    perform notify_due(array(select distinct project_id from inserted where due and status = 'pending'));
    if exists (select from inserted where not due and status = 'pending') then
        perform pg_notify('terarchitect_jobs', 'delayed');
    end if;
    return null;
end $$;

-- A raised limit or the end of a pause may let a waiting claim have a job, on whichever replica it waits.
create function projects_notify() returns trigger language plpgsql as $$
begin
    perform notify_due(array[new.id]);
    return null;
end $$;

create trigger projects_notify after update of max_running, paused on projects
    for each row when (old.max_running is distinct from new.max_running or old.paused is distinct from new.paused)
    execute function projects_notify();

-- A directive reaches the coordinator through whichever replica it talks to.
create trigger coordinators_notify after update of directive on coordinators
    for each row when (old.directive is distinct from new.directive) execute function settings_notify();
-- One that is forgotten and comes back starts anew.
create trigger coordinators_forgotten_notify after delete on coordinators
    for each row execute function settings_notify();

drop function claim_jobs(uuid[], text[], uuid[], double precision[]);

-- The part of `claim_jobs` that compares projects; `places` are the workers that still want a job. Only called by it,
-- with the claims' lock held. Here a hash join is right: projects and their loads are read as a whole.
create function claim_fairly(
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
    )
    update agent_jobs as job
    set status = 'running', attempt = job.attempt + 1, worker_id = workers[dealt.waiter],
        request_id = requests[dealt.waiter], claimed_at = clock_timestamp(),
        lease_expires_at = clock_timestamp() + leases_ms[dealt.waiter] * interval '1 millisecond'
    from dealt cross join projects as project
    where job.id = dealt.id and project.id = job.project_id
    returning dealt.waiter, job.id, job.ticket_id, job.project_id, job.kind, job.pr_number, job.comment_body,
        job.github_comment_id, job.attempt, job.claimed_at, project.github_url, project.execution_mode,
        project.project_path, project.agent_image;
end $$;

-- Claims one due job for each of the waiting workers, as far as there are any: the projects with the fewest running
-- jobs for their weight first, within a project the highest priority, then the oldest. `wanted_projects` may be empty:
-- any project. The n-th worker gets the row whose `waiter` is n. A worker whose request got a job before, and still
-- holds it, gets that one, claimed anew: `claimed_at` tells an answer that nobody took from the one that was taken.
--
-- Call it on a connection that plans once (plan_cache_mode = force_generic_plan) and walks indexes in order with nested
-- loops (enable_seqscan, enable_bitmapscan, enable_hashjoin and enable_mergejoin off), as the dispatcher does: planning
-- costs more than the claim itself, and whatever the statistics say, a claim never reads more than it takes.
create function claim_jobs(
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
        )
        update agent_jobs as job
        set status = 'running', attempt = job.attempt + 1, worker_id = workers[dealt.waiter],
            request_id = requests[dealt.waiter], claimed_at = clock_timestamp(),
            lease_expires_at = clock_timestamp() + leases_ms[dealt.waiter] * interval '1 millisecond'
        from dealt cross join projects as project
        where job.id = dealt.id and project.id = job.project_id
        returning dealt.waiter, job.id, job.ticket_id, job.project_id, job.kind, job.pr_number, job.comment_body,
            job.github_comment_id, job.attempt, job.claimed_at, project.github_url, project.execution_mode,
            project.project_path, project.agent_image;
        return;
    end if;

    return query select * from claim_fairly(wanted_projects, workers, requests, leases_ms, places);
end $$;
