//! What has happened, in no dialect's words. Webhooks are made of it.

/// What has happened in a repository, and who did it.
#[derive(Clone, Debug)]
pub(in crate::forge) struct Event {
    /// The place of the repository.
    pub(in crate::forge) at: usize,
    /// The account that did it.
    pub(in crate::forge) sender: u64,
    pub(in crate::forge) what: What,
}

#[derive(Clone, Debug)]
pub(in crate::forge) enum What {
    Pull {
        number: u64,
        action: PullAction,
    },
    Review {
        number: u64,
        review: u64,
    },
    /// A comment at a line.
    Line {
        number: u64,
        comment: u64,
    },
    /// A comment on a pull request or an issue.
    Comment {
        number: u64,
        comment: u64,
    },
    Issue {
        number: u64,
        action: IssueAction,
    },
    Check {
        id: u64,
    },
    Push {
        branch: String,
        before: String,
        after: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::forge) enum PullAction {
    Opened,
    Edited,
    Closed,
    Reopened,
    Merged,
    Ready,
    Drafted,
    Synchronized { before: String, after: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::forge) enum IssueAction {
    Opened,
    Closed,
    /// The label that was added.
    Labelled(String),
}
