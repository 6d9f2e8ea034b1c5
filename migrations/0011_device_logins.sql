-- Programs that ask to be signed in by a person in a browser, in the manner of RFC 8628.
--
-- Of both codes only the SHA-256 is stored. The one that people read is short, but it gives access to nothing: a signed-in
-- person has to approve it within ten minutes, and the token goes to the program that has the long one.

create table device_logins (
    id            uuid        not null default gen_random_uuid(),
    device_hash   bytea       not null,
    user_hash     bytea       not null,
    -- What the program calls itself, and where it asked from.
    name          text        not null,
    address       text,
    created_at    timestamptz not null default now(),
    expires_at    timestamptz not null,
    -- The shortest time between two questions of the program. Each one that comes too early makes it longer.
    interval_sec  integer     not null,
    asked_at      timestamptz,
    -- Who decided; the token is that person's.
    state         text        not null default 'waiting',
    person_id     uuid,
    constraint device_logins_pkey primary key (id),
    constraint device_logins_device_hash_key unique (device_hash),
    constraint device_logins_user_hash_key unique (user_hash),
    constraint device_logins_state_check check (state in ('waiting', 'approved', 'denied', 'used')),
    constraint device_logins_person_check check ((state = 'waiting') = (person_id is null)),
    constraint device_logins_person_id_fkey foreign key (person_id) references people (id) on delete cascade
);

create index device_logins_person_id_idx on device_logins (person_id);
create index device_logins_expires_at_idx on device_logins (expires_at);
