-- Replies in threads, reactions and comments on issues are said through the same outbox.
alter table forge_posts
    -- What it is about: a thread or a comment, by what the forge calls it; null: the pull request itself.
    add column target text,
    drop constraint forge_posts_kind_check,
    add constraint forge_posts_kind_check
        check (kind in ('comment', 'delete_branch', 'reply', 'reaction', 'issue_comment'));
