//! Why something is not done. Each dialect has its own words and statuses for these.

/// Why something is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::forge) enum Refusal {
    /// There is no such thing.
    NotFound,
    /// The account may not do it.
    Forbidden,
    /// There is no such branch to merge.
    NoHead,
    /// There is no such branch to merge into.
    NoBase,
    /// A pull request needs a title.
    NoTitle,
    /// There is one already, with this number.
    Exists(u64),
    /// No one approves what is their own.
    OwnReview,
    /// A review or comment without a word.
    Empty,
    /// The line is not part of the change.
    NotInDiff,
    /// It is closed or merged.
    NotOpen,
    /// The head is another one by now.
    HeadMoved,
    /// It is a draft.
    Draft,
    /// A rule of the repository is not met.
    Rule(&'static str),
    /// It is not known yet whether it can be merged.
    Checking,
    /// Git can't merge it, in git's words.
    Conflict(String),
    /// There is nothing new in the base.
    UpToDate,
    /// It was done before.
    Again,
}
