//! What forges say, in one set of words for all of them.

use super::{Account, CommentKind, PullState, ReviewState};
use chrono::{DateTime, Utc};
use terarchitect_worker_api::TicketId;

/// A delivery, understood as far as it means something here.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// The address of the repository that it is about.
    pub repository: Option<String>,
    /// Who did it.
    pub sender: Option<Account>,
    /// What happened.
    pub what: ForgeEvent,
}

/// What happened at a forge.
#[derive(Clone, Debug, PartialEq)]
pub enum ForgeEvent {
    /// A pull request was opened, changed, closed or merged; this is how it stands.
    PullChanged(PullFacts),
    /// A review was submitted, or taken back.
    Reviewed(ReviewFacts),
    /// A comment was written.
    CommentMade {
        /// The pull request.
        pull: PullRef,
        /// The comment.
        comment: NewComment,
    },
    /// A comment was deleted.
    CommentDeleted {
        /// The pull request.
        pull: PullRef,
        /// What it was.
        kind: CommentKind,
        /// What the forge called it.
        forge_id: String,
        /// Whose it was.
        author: Account,
    },
    /// A check of a commit began or ended.
    CheckChanged(CheckFacts),
    /// Something changed that the event does not describe: it has to be read from the forge.
    Look(PullRef),
    /// Commits were pushed to a branch.
    Pushed {
        /// The branch.
        branch: String,
        /// Its head before.
        before: Option<String>,
        /// Its head now; none: it was deleted.
        after: Option<String>,
    },
    /// An issue got a label.
    IssueLabelled {
        /// Its number.
        number: i64,
        /// The label.
        label: String,
    },
    /// For the event log alone.
    Noted {
        /// Of what it is about: its name, its state, its page, the commit.
        name: Option<String>,
        /// Its state.
        state: Option<String>,
        /// Its page.
        url: Option<String>,
        /// The commit.
        sha: Option<String>,
    },
    /// It means nothing here; a sentence says why.
    Nothing(&'static str),
}

/// Which pull request an event is about, as far as it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullRef {
    /// Its number.
    pub number: Option<i64>,
    /// Its branch, where that is in the repository itself.
    pub head_branch: Option<String>,
    /// A commit that is or was its head.
    pub head_sha: Option<String>,
}

impl PullRef {
    /// A pull request of which the number is known.
    #[must_use]
    pub fn numbered(number: i64) -> Self {
        Self { number: Some(number), ..Self::default() }
    }
}

/// A pull request, as an event describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullFacts {
    /// Its number.
    pub number: i64,
    /// Its page.
    pub url: Option<String>,
    /// Its state.
    pub state: PullState,
    /// Whether it is a draft.
    pub draft: bool,
    /// Its branch.
    pub head_branch: Option<String>,
    /// Its head.
    pub head_sha: Option<String>,
    /// The branch that it is for.
    pub base: Option<String>,
    /// Whether its branch is in another repository: anyone may name a branch there as they like.
    pub is_from_fork: bool,
    /// When the forge says that it was changed.
    pub updated_at: Option<DateTime<Utc>>,
}

impl PullFacts {
    /// Which pull request it is.
    #[must_use]
    pub fn as_ref(&self) -> PullRef {
        PullRef {
            number: Some(self.number),
            head_branch: self.head_branch.clone().filter(|_| !self.is_from_fork),
            head_sha: self.head_sha.clone(),
        }
    }
}

/// The ticket whose branch this is.
#[must_use]
pub fn ticket_of(branch: &str) -> Option<TicketId> {
    branch.strip_prefix("ticket-")?.parse().ok()
}

/// A review.
#[derive(Clone, Debug, PartialEq)]
pub struct ReviewFacts {
    /// The pull request.
    pub pull: PullRef,
    /// What it says; none: it was dismissed.
    pub state: Option<ReviewState>,
    /// Whose it is.
    pub author: Account,
    /// The head that it saw.
    pub head_sha: Option<String>,
    /// When it was submitted.
    pub at: Option<DateTime<Utc>>,
    /// Its text as a comment, where the event has the review's id.
    pub comment: Option<NewComment>,
}

/// A comment, as it was when it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewComment {
    /// What the forge calls it.
    pub forge_id: String,
    /// What it is.
    pub kind: CommentKind,
    /// Its thread.
    pub thread_id: Option<String>,
    /// The review that it belongs to.
    pub review_id: Option<String>,
    /// Of a review: what it says.
    pub review_state: Option<ReviewState>,
    /// The head that it is about.
    pub head_sha: Option<String>,
    /// Who wrote it.
    pub author: Account,
    /// Its text.
    pub body: String,
    /// The file.
    pub path: Option<String>,
    /// The line of the file.
    pub line: Option<i32>,
    /// The part of the diff that ends with that line.
    pub hunk: Option<String>,
    /// Its page.
    pub url: Option<String>,
}

/// How a check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckState {
    /// It runs, or waits.
    Pending,
    /// It passed.
    Success,
    /// It failed.
    Failure,
    /// It says neither.
    Neutral,
}

impl CheckState {
    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Neutral => "neutral",
        }
    }
}

/// A check of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckFacts {
    /// The pull request, as far as the event names it.
    pub pull: PullRef,
    /// The commit.
    pub sha: String,
    /// What the forge calls this run of it.
    pub forge_id: String,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: CheckState,
    /// The forge's word for that.
    pub conclusion: String,
    /// What it says.
    pub summary: Option<String>,
    /// Its page.
    pub url: Option<String>,
    /// Who runs it.
    pub author: Account,
}

/// What this system calls its own checks begins with this.
const OWN_CHECKS: &str = "terarchitect";

impl CheckFacts {
    /// Whether this system posted it.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.name.get(..OWN_CHECKS.len()).is_some_and(|start| start.eq_ignore_ascii_case(OWN_CHECKS))
    }
}
