-- What a ticket's work looks like right now and what came of it: for people who watch.

alter table execution_logs
    add column attempt integer,
    add column data    jsonb;

-- One row for each ticket whose runner has reported something: what the board shows, so that it reads one row a card
-- and not a log. Written with each log entry, and before it: the row's lock lets the entries of one ticket take their
-- numbers in the order in which they are committed, so that a reader who follows by number loses none.
create table ticket_activity (
    ticket_id  uuid        not null,
    job_id     uuid,
    attempt    integer,
    phase      text,
    turn       integer     not null default 0,
    last_line  text,
    last_step  text,
    last_at    timestamptz not null default now(),
    files      integer,
    added      integer,
    removed    integer,
    todo       jsonb,
    constraint ticket_activity_pkey primary key (ticket_id),
    constraint ticket_activity_ticket_id_fkey foreign key (ticket_id) references tickets (id) on delete cascade
) with (fillfactor = 80);

-- What each turn changed, and the whole branch against its base (turn is null). They outlive the branch.
create table ticket_diffs (
    id           uuid        not null default gen_random_uuid(),
    project_id   uuid        not null,
    ticket_id    uuid        not null,
    job_id       uuid,
    attempt      integer,
    turn         integer,
    commit_id    text,
    base_id      text,
    files        integer     not null,
    added        integer     not null,
    removed      integer     not null,
    patch        bytea       not null,
    patch_bytes  bigint      not null,
    truncated    boolean     not null default false,
    created_at   timestamptz not null default now(),
    constraint ticket_diffs_pkey primary key (id),
    constraint ticket_diffs_ticket_id_fkey foreign key (ticket_id) references tickets (id) on delete cascade,
    constraint ticket_diffs_turn_key unique nulls not distinct (ticket_id, job_id, attempt, turn)
);

-- Compressed already.
alter table ticket_diffs alter column patch set storage external;

create index ticket_diffs_created_at_idx on ticket_diffs using brin (created_at);

-- A person's words to the agent: in its next prompt, once.
create table ticket_messages (
    id            uuid        not null default gen_random_uuid(),
    seq           bigint      generated always as identity,
    project_id    uuid        not null,
    ticket_id     uuid        not null,
    author        text        not null,
    text          text        not null,
    created_at    timestamptz not null default now(),
    job_id        uuid,
    attempt       integer,
    turn          integer,
    delivered_at  timestamptz,
    constraint ticket_messages_pkey primary key (id),
    constraint ticket_messages_ticket_id_fkey foreign key (ticket_id) references tickets (id) on delete cascade
);

create index ticket_messages_ticket_id_seq_idx on ticket_messages (ticket_id, seq);
create index ticket_messages_created_at_idx on ticket_messages using brin (created_at);
