-- Where agents of the catalogue stop for a person, the agents that are there from the start, and jobs that are asked for by an
-- agent's name, with data instead of a repository.

alter table agents
    -- A list of {stage, type, message, name}, as jobs have it.
    add column checkpoints jsonb not null default '[]';

insert into agents (slug, name, description, checkpoints) values
    ('simple-task', 'Simple task', 'Works on data, and says when it begins.',
     '[{"stage": "start", "type": "info", "name": "started", "message": "This task starts by itself; nothing waits for you."}]'),
    ('code-generation', 'Code generation', 'Writes files, once a person has seen which.',
     '[{"stage": "start", "type": "approval_required", "name": "before_writing", "message": "Should these files be written?"}]'),
    ('data-processing', 'Data processing', 'Works on data whose input and output a person reviews.',
     '[{"stage": "start", "type": "approval_required", "name": "input_review", "message": "Is this the input to work on?"},
       {"stage": "output", "type": "approval_required", "name": "output_review", "message": "Is this the output that you want?"}]'),
    ('ai-task', 'AI task', 'Asks the model, once a person agrees.',
     '[{"stage": "start", "type": "approval_required", "name": "before_model", "message": "Should the model be asked?"}]')
on conflict (slug) do nothing;

-- What such a job has beside its ticket.
create table agent_tasks (
    ticket_id    uuid        not null,
    project_id   uuid        not null,
    seq          bigint      generated always as identity,
    -- The agent's name, as it was asked for.
    job_type     text        not null,
    agent_id     uuid,
    description  text        not null,
    input        jsonb       not null default '{}',
    priority     integer     not null,
    -- What came of it.
    output       jsonb,
    -- Who asked for it, as events name them.
    asked_by     text        not null,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now(),
    constraint agent_tasks_pkey primary key (ticket_id),
    constraint agent_tasks_priority_check check (priority between 1 and 10),
    constraint agent_tasks_ticket_id_fkey foreign key (ticket_id, project_id)
        references tickets (id, project_id) on delete cascade,
    constraint agent_tasks_agent_id_fkey foreign key (agent_id) references agents (id) on delete set null
);

create unique index agent_tasks_seq_key on agent_tasks (seq);
create index agent_tasks_job_type_idx on agent_tasks (job_type, seq);
create index agent_tasks_agent_id_idx on agent_tasks (agent_id);

-- The names that the agent worker's guide has for these tables.
create view agent_checkpoints as select * from checkpoints;
create view ai_jobs as select * from agent_jobs;
