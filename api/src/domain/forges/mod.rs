//! Forges: what their webhooks say, whether they are genuine, and what of it is an order to the agent.

pub mod check_log;
pub mod conversation;
pub mod credential;
pub mod event;
pub mod gitea;
pub mod github;
pub mod gitlab;
pub mod issue;
pub mod job_text;
pub mod mentions;
pub mod orders;
pub mod pace;
pub mod points;
pub mod read;
pub mod seen;
pub mod settings;
pub mod signature;
pub mod snapshot;
pub mod standing;

use crate::domain::forges::event::Heard;
use crate::domain::words::words;
use serde_json::Value;

words! {
    /// What kind of forge a repository is at.
    pub enum ForgeKind "kind of forge" {
        /// GitHub, also GitHub Enterprise Server.
        GitHub = "github",
        /// GitLab.
        GitLab = "gitlab",
        /// Gitea, also Forgejo.
        Gitea = "gitea",
    }
}

words! {
    /// What of a review becomes an order to the agent.
    pub enum ReviewTrigger "review trigger" {
        /// A review that asks for changes, and a comment that mentions the bot.
        ChangesOrMention = "changes_or_mention",
        /// A review that asks for changes.
        Changes = "changes",
        /// A comment that mentions the bot.
        Mention = "mention",
        /// Any comment.
        Any = "any",
    }
}

words! {
    /// What is done at a forge.
    pub enum PostKind "kind of post" {
        /// A comment on the pull request.
        Comment = "comment",
        /// A reply in one of its threads.
        Reply = "reply",
        /// A reaction that says that one of its comments is seen.
        Reaction = "reaction",
        /// Its branch is deleted.
        DeleteBranch = "delete_branch",
        /// A comment on an issue.
        IssueComment = "issue_comment",
    }
}

words! {
    /// Whose credential it is.
    pub enum CredentialKind "kind of credential" {
        /// The bot's: what it reads, pushes and comments with.
        Bot = "bot",
        /// Another account's, which may approve what the bot opened.
        Approver = "approver",
    }
}

words! {
    /// How a secret proves where a webhook comes from.
    pub enum SecretKind "kind of secret" {
        /// As the forge has always done it: GitHub and Gitea sign with it, GitLab sends it along.
        Token = "token",
        /// GitLab's signing token, which begins with `whsec_`.
        Signing = "signing",
    }
}

words! {
    /// How far a delivery is.
    pub enum DeliveryState "state of a delivery" {
        /// It will be worked on, now or later.
        Waiting = "waiting",
        /// It was worked on.
        Done = "done",
        /// It means nothing here; the reason says why.
        Ignored = "ignored",
        /// It could not be worked on; the reason says why, and it can be replayed.
        Failed = "failed",
    }
}

words! {
    /// The state of a pull request.
    pub enum PullState "state of a pull request" {
        /// Open.
        Open = "open",
        /// Closed without a merge.
        Closed = "closed",
        /// Merged.
        Merged = "merged",
    }
}

words! {
    /// What a review says.
    pub enum ReviewState "state of a review" {
        /// The change may be merged.
        Approved = "approved",
        /// Something has to be changed first.
        ChangesRequested = "changes_requested",
        /// Neither of both.
        Commented = "commented",
    }
}

words! {
    /// What a comment is.
    pub enum CommentKind "kind of comment" {
        /// About a line of a file.
        Line = "line",
        /// About the pull request.
        General = "general",
        /// The text of a review.
        Review = "review",
        /// A check that failed.
        Check = "check",
        /// A conflict with the base.
        Conflict = "conflict",
    }
}

words! {
    /// How far a comment is.
    pub enum CommentState "state of a comment" {
        /// It is not decided yet whether it is an order, or it waits for its job.
        Waiting = "waiting",
        /// It is part of a job.
        Ordered = "ordered",
        /// Its job has dealt with it.
        Answered = "answered",
        /// Its job failed or was cancelled; the reason says so.
        Failed = "failed",
        /// It is no order; the reason says why.
        Refused = "refused",
    }
}

/// An account at a forge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Its id, which outlives a change of its name. Not every event carries it.
    pub id: Option<String>,
    /// Its name.
    pub login: String,
    /// Whether the forge says that it is a program.
    pub is_bot: bool,
}

/// What an account may do with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Nothing.
    None,
    /// Read.
    Read,
    /// Push.
    Write,
    /// Everything.
    Admin,
}

/// What a delivery says. `event` is the sender's word for it.
#[must_use]
pub fn read(sender: ForgeKind, event: &str, body: &Value) -> Heard {
    match sender {
        ForgeKind::GitHub => github::read(event, body),
        ForgeKind::GitLab => gitlab::read(event, body),
        ForgeKind::Gitea => gitea::read(event, body),
    }
}
