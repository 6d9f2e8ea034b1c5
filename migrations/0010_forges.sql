-- Forges: credentials, webhooks and what they deliver, pull requests, and what people say about them.

alter table projects
    -- Which forge its repository is at; null: found from the address.
    add column forge_kind            text,
    -- What of a review becomes an order to the agent.
    add column review_trigger        text    not null default 'changes_or_mention',
    -- Comments become one job once none has come for so long.
    add column review_quiet_sec      integer not null default 60,
    -- Bots whose comments count as those of people do.
    add column review_bots           text[]  not null default '{}',
    -- How often failing checks of one pull request are given to the agent.
    add column max_check_fixes       integer not null default 2,
    -- How a pull request's branch gets what its base got since.
    add column base_update           text    not null default 'merge',
    add column delete_merged_branch  boolean not null default false,
    -- Issues with this label become tickets; null: none do.
    add column issue_label           text,
    add constraint projects_forge_kind_check check (forge_kind in ('github', 'gitlab', 'gitea')),
    add constraint projects_review_trigger_check
        check (review_trigger in ('changes_or_mention', 'changes', 'mention', 'any')),
    add constraint projects_review_quiet_sec_check check (review_quiet_sec between 0 and 86400),
    add constraint projects_max_check_fixes_check check (max_check_fixes between 0 and 100),
    add constraint projects_base_update_check check (base_update in ('merge', 'rebase'));

-- What the API shows to a forge. Sealed with the key that key_id names, under the row's id.
create table credentials (
    id          uuid        not null default gen_random_uuid(),
    name        text        not null,
    -- Whose it is: what works for the bot may not approve what the bot opened.
    kind        text        not null,
    -- The only host that it is sent to, in lower case.
    host        text        not null,
    project_id  uuid,
    sealed      bytea       not null,
    key_id      text        not null,
    created_by  text        not null,
    created_at  timestamptz not null default now(),
    constraint credentials_pkey primary key (id),
    constraint credentials_name_key unique nulls not distinct (project_id, name),
    constraint credentials_kind_check check (kind in ('bot', 'approver')),
    constraint credentials_project_id_fkey foreign key (project_id) references projects (id) on delete cascade
);

-- What forges sign their webhooks with: for one project, or for all.
create table webhook_secrets (
    id          uuid        not null default gen_random_uuid(),
    sender      text        not null,
    project_id  uuid,
    -- A token is sent or signs as the forge has always done it; a signing secret is GitLab's newer form.
    kind        text        not null,
    -- Two are valid while one is replaced, and never more.
    slot        smallint    not null,
    sealed      bytea       not null,
    key_id      text        not null,
    created_by  text        not null,
    created_at  timestamptz not null default now(),
    constraint webhook_secrets_pkey primary key (id),
    constraint webhook_secrets_slot_key unique nulls not distinct (sender, project_id, slot),
    constraint webhook_secrets_slot_check check (slot in (1, 2)),
    constraint webhook_secrets_sender_check check (sender in ('github', 'gitlab', 'gitea')),
    constraint webhook_secrets_kind_check check (kind in ('token', 'signing')),
    constraint webhook_secrets_kind_sender_check check (kind = 'token' or sender = 'gitlab'),
    constraint webhook_secrets_project_id_fkey foreign key (project_id) references projects (id) on delete cascade
);

create index webhook_secrets_project_id_idx on webhook_secrets (project_id);

-- What forges send, stored before it is acted on.
create table deliveries (
    id               uuid        not null default gen_random_uuid(),
    seq              bigint      generated always as identity,
    sender           text        not null,
    -- The project of the address that it was sent to, if that names one.
    hook_project_id  uuid,
    delivery_id      text        not null,
    event            text        not null,
    project_id       uuid,
    -- The pull request that it waits for, where no ticket has it yet.
    pull_number      bigint,
    body             bytea       not null,
    state            text        not null default 'waiting',
    tries            integer     not null default 0,
    reason           text,
    next_try_at      timestamptz not null default now(),
    received_at      timestamptz not null default now(),
    finished_at      timestamptz,
    constraint deliveries_pkey primary key (id),
    constraint deliveries_delivery_id_key unique nulls not distinct (sender, hook_project_id, delivery_id),
    constraint deliveries_state_check check (state in ('waiting', 'done', 'ignored', 'failed')),
    constraint deliveries_finished_at_check check ((state = 'waiting') = (finished_at is null)),
    constraint deliveries_hook_project_id_fkey foreign key (hook_project_id) references projects (id) on delete cascade,
    constraint deliveries_project_id_fkey foreign key (project_id) references projects (id) on delete cascade
);

create unique index deliveries_seq_key on deliveries (seq);
create index deliveries_state_seq_idx on deliveries (state, seq);
create index deliveries_project_id_seq_idx on deliveries (project_id, seq);
create index deliveries_hook_project_id_idx on deliveries (hook_project_id) where hook_project_id is not null;
create index deliveries_next_try_at_idx on deliveries (next_try_at, seq) where state = 'waiting';
create index deliveries_pull_number_idx on deliveries (pull_number) where state = 'waiting' and pull_number is not null;
create index deliveries_finished_at_idx on deliveries (finished_at) where finished_at is not null;

create table pull_requests (
    id                uuid        not null default gen_random_uuid(),
    project_id        uuid        not null,
    ticket_id         uuid        not null,
    -- The kind of forge; null until it is known.
    forge             text,
    number            bigint      not null,
    url               text,
    state             text        not null default 'open',
    draft             boolean     not null default false,
    head_branch       text,
    head_sha          text,
    base              text,
    -- The latest review that decides something: whose, and which head it saw.
    review_state      text,
    review_by         text,
    review_head       text,
    review_at         timestamptz,
    -- The checks of head_sha, by name: pending, success, failure or neutral.
    checks            jsonb       not null default '{}',
    etag              text,
    -- When it is read from the forge next; null: when something says so.
    next_look_at      timestamptz,
    -- How many jobs were made of failing checks.
    fixes             integer     not null default 0,
    -- When the forge says that it was last changed: what is older changes nothing.
    forge_updated_at  timestamptz,
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now(),
    constraint pull_requests_pkey primary key (id),
    constraint pull_requests_number_key unique (project_id, number),
    constraint pull_requests_forge_check check (forge in ('github', 'gitlab', 'gitea')),
    constraint pull_requests_state_check check (state in ('open', 'closed', 'merged')),
    constraint pull_requests_review_state_check check (review_state in ('approved', 'changes_requested')),
    constraint pull_requests_ticket_id_fkey foreign key (ticket_id, project_id)
        references tickets (id, project_id) on delete cascade
);

create index pull_requests_ticket_id_idx on pull_requests (ticket_id, project_id);
create index pull_requests_head_sha_idx on pull_requests (head_sha);
create index pull_requests_head_branch_idx on pull_requests (project_id, head_branch);
create index pull_requests_base_idx on pull_requests (base, project_id) where state = 'open';
create index pull_requests_next_look_at_idx on pull_requests (next_look_at) where next_look_at is not null;
create index tickets_pr_number_idx on tickets (project_id, pr_number) where pr_number is not null;

-- What is said about a pull request, as it was when it was asked: nothing here follows later edits.
create table review_comments (
    id                 uuid        not null default gen_random_uuid(),
    seq                bigint      generated always as identity,
    pull_request_id    uuid        not null,
    -- What the forge calls it; a number, in most cases.
    forge_id           text        not null,
    kind               text        not null,
    thread_id          text,
    -- The review that it belongs to.
    review_id          text,
    -- Of a review: what it says.
    review_state       text,
    -- The head that it is about.
    head_sha           text,
    author_id          text,
    author_login       text        not null,
    author_is_bot      boolean     not null default false,
    body               text        not null,
    path               text,
    line               integer,
    hunk               text,
    url                text,
    received_at        timestamptz not null default now(),
    state              text        not null default 'waiting',
    -- When it was decided that it is an order; null while that is not decided.
    accepted_at        timestamptz,
    -- When that is decided, or asked again.
    decide_at          timestamptz not null default now(),
    tries              integer     not null default 0,
    reason             text,
    job_id             uuid,
    reply_id           text,
    constraint review_comments_pkey primary key (id),
    constraint review_comments_forge_id_key unique (pull_request_id, kind, forge_id),
    constraint review_comments_kind_check check (kind in ('line', 'general', 'review', 'check', 'conflict')),
    constraint review_comments_state_check check (state in ('waiting', 'ordered', 'answered', 'refused')),
    constraint review_comments_ordered_check check (state <> 'ordered' or job_id is not null),
    constraint review_comments_pull_request_id_fkey foreign key (pull_request_id)
        references pull_requests (id) on delete cascade
);

create index review_comments_undecided_idx on review_comments (decide_at, seq)
    where state = 'waiting' and accepted_at is null;
create index review_comments_accepted_idx on review_comments (pull_request_id, accepted_at)
    where state = 'waiting' and accepted_at is not null;
create index review_comments_review_id_idx on review_comments (pull_request_id, review_id) where review_id is not null;
create index review_comments_job_id_idx on review_comments (job_id) where job_id is not null;

-- The pull requests that tickets have already.
insert into pull_requests (project_id, ticket_id, number, url, head_branch)
select distinct on (project_id, pr_number) project_id, id, pr_number, pr_url, 'ticket-' || id
from tickets where pr_number is not null and column_id <> 'done' order by project_id, pr_number, created_at desc;
