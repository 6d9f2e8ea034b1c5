-- What models may use: of a project, with what holds for each of its attempts and tickets, and of single tickets in place of that.

create table budgets (
    project_id  uuid              not null,
    -- None: of the project.
    ticket_id   uuid,
    -- Whose use it counts.
    level       text              not null,
    usd         double precision,
    tokens      bigint,
    calls       bigint,
    updated_at  timestamptz       not null default now(),
    constraint budgets_level_key unique nulls not distinct (project_id, ticket_id, level),
    constraint budgets_project_id_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint budgets_ticket_fkey foreign key (ticket_id, project_id) references tickets (id, project_id) on delete cascade,
    constraint budgets_level_check check (
        level in ('attempt', 'ticket') or (ticket_id is null and level in ('project', 'day'))),
    constraint budgets_some_check check (num_nonnulls(usd, tokens, calls) > 0),
    -- Not a number is greater than every other.
    constraint budgets_amounts_check check (
        coalesce(usd > 0 and usd <= 1e9, true) and coalesce(tokens > 0, true) and coalesce(calls > 0, true))
);

create index budgets_ticket_idx on budgets (ticket_id) where ticket_id is not null;

-- What people granted beside that, each time that a budget was used up.
create table budget_grants (
    -- The checkpoint that was approved.
    checkpoint_id  uuid              not null,
    project_id     uuid              not null,
    ticket_id      uuid              not null,
    job_id         uuid              not null,
    attempt        integer,
    level          text              not null,
    unit           text              not null,
    amount         double precision  not null,
    -- Of the level day: which.
    day            date,
    created_at     timestamptz       not null default now(),
    constraint budget_grants_pkey primary key (checkpoint_id),
    constraint budget_grants_project_id_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint budget_grants_level_check check (level in ('attempt', 'ticket', 'project', 'day')),
    constraint budget_grants_unit_check check (unit in ('usd', 'tokens', 'calls')),
    constraint budget_grants_amount_check check (amount > 0 and amount <= 1e15),
    constraint budget_grants_day_check check ((day is not null) = (level = 'day'))
);

create index budget_grants_project_idx on budget_grants (project_id, level, ticket_id);

alter table checkpoints
    drop constraint checkpoints_stage_check,
    add constraint checkpoints_stage_check check (stage in ('start', 'plan', 'diff', 'output', 'question', 'budget'));
