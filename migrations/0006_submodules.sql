-- Whether the runner fetches a repository's submodules.

alter table projects
    add column submodules boolean not null default false;
