-- What a pull request's forge showed of it, so that many readers of one ticket ask the forge once.
create table pull_snapshots (
    pull_request_id  uuid        not null,
    -- When the forge was asked.
    asked_at         timestamptz not null,
    -- What pull_requests.updated_at was then: a later one says that something has changed since.
    seen_at          timestamptz not null,
    -- How many threads at lines are not resolved.
    open_threads     integer     not null,
    snapshot         jsonb       not null,
    constraint pull_snapshots_pkey primary key (pull_request_id),
    constraint pull_snapshots_pull_request_id_fkey foreign key (pull_request_id)
        references pull_requests (id) on delete cascade
);
