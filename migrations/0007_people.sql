-- People who sign in, what they may do, and who did what.
--
-- Of sessions, links and tokens only the SHA-256 is stored: 256 random bits need no slow hash.

create table people (
    id             uuid        not null default gen_random_uuid(),
    email          text        not null,
    name           text        not null,
    role           text        not null,
    password_hash  text,
    oidc_issuer    text,
    oidc_subject   text,
    disabled_at    timestamptz,
    created_at     timestamptz not null default now(),
    last_seen_at   timestamptz,
    constraint people_pkey primary key (id),
    constraint people_email_key unique (email),
    constraint people_oidc_key unique (oidc_issuer, oidc_subject),
    constraint people_email_check check (email = lower(email) and email <> ''),
    constraint people_role_check check (role in ('admin', 'member', 'viewer', 'none')),
    constraint people_oidc_check check ((oidc_issuer is null) = (oidc_subject is null))
);

-- A role in one project replaces the global one there.
create table project_roles (
    person_id   uuid  not null,
    project_id  uuid  not null,
    role        text  not null,
    constraint project_roles_pkey primary key (person_id, project_id),
    constraint project_roles_person_id_fkey foreign key (person_id) references people (id) on delete cascade,
    constraint project_roles_project_id_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint project_roles_role_check check (role in ('member', 'viewer'))
);

create index project_roles_project_id_idx on project_roles (project_id);

create table sessions (
    id            uuid        not null default gen_random_uuid(),
    hash          bytea       not null,
    person_id     uuid        not null,
    created_at    timestamptz not null default now(),
    last_seen_at  timestamptz not null default now(),
    expires_at    timestamptz not null,
    address       text,
    user_agent    text,
    constraint sessions_pkey primary key (id),
    constraint sessions_hash_key unique (hash),
    constraint sessions_person_id_fkey foreign key (person_id) references people (id) on delete cascade
);

create index sessions_person_id_idx on sessions (person_id);

-- Links that work once: for the first admin, for who is invited, to sign in, and to set a password.
create table links (
    id          uuid        not null default gen_random_uuid(),
    hash        bytea       not null,
    kind        text        not null,
    person_id   uuid,
    email       text,
    role        text,
    project_id  uuid,
    created_by  text        not null,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    used_at     timestamptz,
    constraint links_pkey primary key (id),
    constraint links_hash_key unique (hash),
    constraint links_kind_check check (kind in ('first_admin', 'invitation', 'sign_in', 'reset')),
    constraint links_role_check check (role in ('admin', 'member', 'viewer', 'none')),
    constraint links_person_check check ((person_id is not null) = (kind in ('sign_in', 'reset'))),
    constraint links_person_id_fkey foreign key (person_id) references people (id) on delete cascade,
    constraint links_project_id_fkey foreign key (project_id) references projects (id) on delete cascade
);

create index links_person_id_idx on links (person_id);
create index links_project_id_idx on links (project_id);

-- A person's tokens are never more than that person; those without one were made with the API's key or on its machine.
create table api_tokens (
    id            uuid        not null default gen_random_uuid(),
    hash          bytea       not null,
    prefix        text        not null,
    name          text        not null,
    scope         text        not null,
    role          text,
    project_id    uuid,
    person_id     uuid,
    created_by    text        not null,
    created_at    timestamptz not null default now(),
    expires_at    timestamptz,
    last_used_at  timestamptz,
    constraint api_tokens_pkey primary key (id),
    constraint api_tokens_hash_key unique (hash),
    constraint api_tokens_scope_check check (scope in ('app', 'worker', 'ingest')),
    constraint api_tokens_role_check check (role in ('admin', 'member', 'viewer')),
    constraint api_tokens_app_check check ((role is not null) = (scope = 'app')),
    constraint api_tokens_project_id_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint api_tokens_person_id_fkey foreign key (person_id) references people (id) on delete cascade
);

create index api_tokens_project_id_idx on api_tokens (project_id);
create index api_tokens_person_id_idx on api_tokens (person_id);

-- Failed sign-ins of late, by account and by address: each failure makes the next one wait.
create table sign_in_failures (
    subject   text        not null,
    failures  integer     not null,
    last_at   timestamptz not null default now(),
    constraint sign_in_failures_pkey primary key (subject)
);

create index sign_in_failures_last_at_idx on sign_in_failures (last_at);

-- Who did what. Names are as they were then, and nothing refers to rows that may go.
create table audit (
    seq         bigint      generated always as identity,
    at          timestamptz not null default now(),
    actor       text        not null,
    actor_name  text,
    kind        text        not null,
    project_id  uuid,
    ticket_id   uuid,
    job_id      uuid,
    data        jsonb       not null default '{}',
    constraint audit_pkey primary key (seq)
);

create index audit_actor_seq_idx on audit (actor, seq);
create index audit_project_id_seq_idx on audit (project_id, seq) where project_id is not null;
create index audit_ticket_id_seq_idx on audit (ticket_id, seq) where ticket_id is not null;
