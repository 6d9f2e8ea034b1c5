//! What reading a pull request at its forge shows, in the words of deliveries.

use super::event::{CheckFacts, NewComment, PullFacts};
use super::{Account, ForgeKind, ReviewState};
use chrono::{DateTime, Utc};

/// A pull request, as it was read from its forge.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The kind of forge.
    pub forge: ForgeKind,
    /// The account that this system uses there.
    pub me: Account,
    /// How it stands.
    pub pull: PullFacts,
    /// Whether it can be merged with its base.
    pub fit: Fit,
    /// The commit of its base; none where the forge does not say it.
    pub base_sha: Option<String>,
    /// Its reviews that decide something, the oldest first.
    pub verdicts: Vec<Verdict>,
    /// What was said about it, reviews first.
    pub said: Vec<Spoken>,
    /// The checks of its head.
    pub checks: Vec<CheckFacts>,
}

/// How a pull request fits its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Nothing is in the way.
    Fits,
    /// It conflicts with it.
    Conflicts,
    /// A rule of the repository wants it to be brought up to date first.
    Behind,
    /// The forge has not found out yet.
    Unknown,
}

/// What a review decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What it says; none: it was dismissed.
    pub state: Option<ReviewState>,
    /// Whose it is.
    pub by: Account,
    /// The head that it saw.
    pub head: Option<String>,
    /// When it was submitted.
    pub at: Option<DateTime<Utc>>,
}

/// Something that was said, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// What was said.
    pub comment: NewComment,
    /// When.
    pub at: Option<DateTime<Utc>>,
    /// Whether its thread is settled.
    pub is_settled: bool,
}

/// The review that counts: the latest one that decides something and was not dismissed. Each reviewer has one say, the last.
#[must_use]
pub fn standing(verdicts: &[Verdict]) -> Option<&Verdict> {
    let is_last = |at: usize, verdict: &Verdict| verdicts[at + 1..].iter().all(|later| later.by != verdict.by);
    let last = verdicts.iter().enumerate().filter(|(at, verdict)| is_last(*at, verdict)).map(|(_, verdict)| verdict);
    last.filter(|verdict| verdict.state.is_some()).max_by_key(|verdict| verdict.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(by: &str, state: Option<ReviewState>, minute: i64) -> Verdict {
        let by = Account { id: None, login: by.to_owned(), is_bot: false };
        Verdict { state, by, head: None, at: DateTime::from_timestamp(minute * 60, 0) }
    }

    #[test]
    fn the_latest_review_counts_and_each_reviewer_has_one_say() {
        let (yes, no) = (Some(ReviewState::Approved), Some(ReviewState::ChangesRequested));
        let by = |verdicts: &[Verdict]| standing(verdicts).map(|verdict| (verdict.by.login.clone(), verdict.state));
        assert_eq!(by(&[]), None);
        assert_eq!(by(&[verdict("ann", no, 1), verdict("bob", yes, 2)]), Some(("bob".into(), yes)));
        assert_eq!(
            by(&[verdict("ann", no, 1), verdict("bob", yes, 2), verdict("bob", None, 3)]),
            Some(("ann".into(), no))
        );
        assert_eq!(by(&[verdict("ann", yes, 1), verdict("ann", None, 2)]), None);
    }
}
