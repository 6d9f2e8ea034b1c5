-- How a ticket's branch that is continued gets what its base got since.

alter table projects
    add column update_strategy text not null default 'merge',
    add constraint projects_update_strategy_check check (update_strategy in ('merge', 'rebase'));
