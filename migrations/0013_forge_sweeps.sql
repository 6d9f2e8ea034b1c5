-- Replies in threads, reactions and comments on issues are said through the same outbox.
alter table forge_posts
    -- What it is about: a thread or a comment, by what the forge calls it; null: the pull request itself.
    add column target text,
    drop constraint forge_posts_kind_check,
    add constraint forge_posts_kind_check
        check (kind in ('comment', 'delete_branch', 'reply', 'reaction', 'issue_comment'));

-- Projects whose forge is asked for what has changed there: what a webhook would have said, had it come.
create table forge_sweeps (
    project_id  uuid        not null,
    -- When it is asked next; null: not before there is something to ask about.
    next_at     timestamptz default now(),
    -- Of the last response: its entity tag, and the latest change that it had, in the forge's own words.
    etag        text,
    since       text,
    -- How many responses in turn had nothing new.
    quiet       integer     not null default 0,
    tries       integer     not null default 0,
    -- Why there was no response.
    reason      text,
    asked_at    timestamptz,
    constraint forge_sweeps_pkey primary key (project_id),
    constraint forge_sweeps_project_id_fkey foreign key (project_id) references projects (id) on delete cascade
);

create index forge_sweeps_next_at_idx on forge_sweeps (next_at) where next_at is not null;

-- Comments that were written before this was built are no orders.
alter table pull_requests
    add column said_since timestamptz,
    -- How many looks in turn failed.
    add column looks_failed integer not null default 0,
    add column look_reason text;
update pull_requests set said_since = now();
insert into forge_sweeps (project_id)
select distinct project_id from pull_requests where state = 'open' on conflict do nothing;

-- Issues that became tickets.
create table ticket_issues (
    project_id  uuid        not null,
    number      bigint      not null,
    -- Null: the ticket was deleted, and the issue does not become another one.
    ticket_id   uuid,
    url         text        not null,
    created_at  timestamptz not null default now(),
    constraint ticket_issues_pkey primary key (project_id, number),
    constraint ticket_issues_ticket_id_key unique (ticket_id, project_id),
    constraint ticket_issues_project_id_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint ticket_issues_ticket_id_fkey foreign key (ticket_id, project_id)
        references tickets (id, project_id) on delete set null (ticket_id)
);
