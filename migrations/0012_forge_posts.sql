-- What this system says and does at forges: stored with what causes it, and repeated from here until the forge has it.
create table forge_posts (
    id            uuid        not null default gen_random_uuid(),
    project_id    uuid        not null,
    ticket_id     uuid        not null,
    pr_number     bigint      not null,
    kind          text        not null,
    -- What makes it one: it marks the text at the forge too, so that it is posted once, whatever is repeated.
    key           text        not null,
    -- A comment's text, or the name of a branch.
    body          text        not null,
    state         text        not null default 'waiting',
    tries         integer     not null default 0,
    reason        text,
    next_try_at   timestamptz not null default now(),
    created_at    timestamptz not null default now(),
    finished_at   timestamptz,
    constraint forge_posts_pkey primary key (id),
    constraint forge_posts_key_key unique (ticket_id, pr_number, key),
    constraint forge_posts_kind_check check (kind in ('comment', 'delete_branch')),
    constraint forge_posts_state_check check (state in ('waiting', 'posted', 'failed')),
    constraint forge_posts_finished_at_check check ((state = 'waiting') = (finished_at is null)),
    constraint forge_posts_ticket_id_fkey foreign key (ticket_id, project_id)
        references tickets (id, project_id) on delete cascade
);

create index forge_posts_next_try_at_idx on forge_posts (next_try_at) where state = 'waiting';
