-- What tickets have to show before they count as done: of a project for all of its tickets, and of single tickets beside that.

create table proof_terms (
    project_id    uuid        not null,
    -- None: of the project.
    ticket_id     uuid,
    -- Shell commands that prepare a checkout, and that must succeed in it.
    setup         text[]      not null default '{}',
    verification  text[]      not null default '{}',
    -- What must hold, a sentence each.
    acceptance    text[]      not null default '{}',
    updated_at    timestamptz not null default now(),
    constraint proof_terms_project_id_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint proof_terms_ticket_fkey foreign key (ticket_id, project_id) references tickets (id, project_id) on delete cascade
);

create unique index proof_terms_project_key on proof_terms (project_id) where ticket_id is null;
create unique index proof_terms_ticket_key on proof_terms (ticket_id) where ticket_id is not null;
