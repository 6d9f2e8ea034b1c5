-- Secrets of projects: variables for their setup and verification commands, and for the agent where that is said.

create table project_secrets (
    project_id      uuid        not null,
    -- The variable.
    name            text        not null,
    -- Sealed with the key that key_id names, under the project and the name.
    sealed          bytea       not null,
    key_id          text        not null,
    -- Whether the agent gets it too.
    given_to_agent  boolean     not null default false,
    set_by          text        not null,
    set_at          timestamptz not null default now(),
    constraint project_secrets_pkey primary key (project_id, name),
    constraint project_secrets_name_check check (name ~ '^[A-Z_][A-Z0-9_]{0,127}$'),
    -- A nonce of 24 bytes, at most 32 KiB, and a tag of 16 bytes.
    constraint project_secrets_sealed_check check (octet_length(sealed) between 48 and 32808),
    constraint project_secrets_project_id_fkey foreign key (project_id) references projects (id) on delete cascade
);
