-- Commands that a runner found in a project's repository, for a person to take or leave: none of them runs unasked.

create table proposed_proofs (
    project_id    uuid        not null,
    -- Shell commands that would prepare a checkout, and that would verify it.
    setup         text[]      not null,
    verification  text[]      not null,
    updated_at    timestamptz not null default now(),
    constraint proposed_proofs_pkey primary key (project_id),
    constraint proposed_proofs_project_id_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint proposed_proofs_entries_check check (cardinality(setup) <= 50 and cardinality(verification) <= 50)
);

-- What the Director last said about each acceptance line of a ticket.
create index execution_logs_acceptance_idx on execution_logs (ticket_id, seq desc) where data ->> 'kind' = 'acceptance';
