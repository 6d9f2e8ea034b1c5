-- What reviewers said before an order, the end of a failed check's log, and what became of an order whose job did not succeed.
alter table review_comments
    -- What people who may give orders, and this system, said before it in its thread: `author` and `text`. Null: nothing.
    add column conversation jsonb,
    -- The end of a failed check's log.
    add column log text,
    drop constraint review_comments_state_check,
    add constraint review_comments_state_check
        check (state in ('waiting', 'ordered', 'answered', 'refused', 'failed')),
    drop constraint review_comments_ordered_check,
    add constraint review_comments_ordered_check check (state not in ('ordered', 'failed') or job_id is not null);

create index review_comments_ordered_idx on review_comments (job_id) where state = 'ordered';
create index forge_posts_finished_at_idx on forge_posts (finished_at) where finished_at is not null;
