//! What can be done with a pull request as it is, and why not; and how words of a person reach a forge.

use super::PullState;
use super::snapshot::{CheckResult, PullNow};
use crate::domain::refusal::{ErrorCode, Refusal};
use serde::Serialize;
use utoipa::ToSchema;

/// The longest comment, in characters. Forges take a little more.
const MAX_COMMENT_CHARS: usize = 60_000;

/// Whether something can be done, and otherwise why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Possible {
    /// Whether it can be done, as far as that is known.
    pub possible: bool,
    /// Why not, in a sentence; or what is not known yet.
    pub reason: Option<String>,
}

impl Possible {
    /// It can be done.
    #[must_use]
    pub const fn yes() -> Self {
        Self { possible: true, reason: None }
    }

    /// It can't be done, for this reason.
    #[must_use]
    pub fn no(reason: impl Into<String>) -> Self {
        Self { possible: false, reason: Some(reason.into()) }
    }
}

/// Whether a pull request can be merged.
#[must_use]
pub fn can_merge(pull: &PullNow) -> Possible {
    if let Some(reason) = why_not_open(pull.state) {
        return Possible::no(reason);
    }
    if pull.draft {
        return Possible::no("It is a draft. Mark it as ready for review at the forge first.");
    }
    match (pull.mergeable, &pull.mergeable_reason) {
        (Some(false), Some(reason)) => Possible::no(sentence(reason)),
        (Some(false), None) => Possible::no("The forge says that it can't be merged."),
        (None, _) => {
            Possible { possible: true, reason: Some("The forge has not checked yet whether it can.".to_owned()) }
        }
        (Some(true), _) => Possible::yes(),
    }
}

/// Whether a pull request can be approved. `lacks` says what is missing of a credential for it.
#[must_use]
pub fn can_approve(pull: &PullNow, lacks: Option<String>) -> Possible {
    match (why_not_open(pull.state), lacks) {
        (Some(reason), _) => Possible::no(reason),
        (None, Some(lacks)) => Possible::no(lacks),
        (None, None) => Possible::yes(),
    }
}

fn why_not_open(state: PullState) -> Option<&'static str> {
    match state {
        PullState::Open => None,
        PullState::Closed => Some("The pull request is closed."),
        PullState::Merged => Some("The pull request is merged already."),
    }
}

/// Refuses what only an open pull request allows.
///
/// # Errors
/// When it is not open.
pub fn require_open(state: PullState) -> Result<(), Refusal> {
    why_not_open(state).map_or(Ok(()), |reason| Err(Refusal::new(ErrorCode::PullRequestNotOpen, reason)))
}

/// Refuses a head that is no longer the one that someone saw. Both may be short.
///
/// # Errors
/// When the heads differ.
pub fn require_head(seen: Option<&str>, now: &str) -> Result<(), Refusal> {
    match seen {
        Some(seen) if !is_same_commit(seen, now) => {
            Err(head_moved(&format!("it is {} now, not {}", short(now), short(seen))))
        }
        _ => Ok(()),
    }
}

fn is_same_commit(seen: &str, now: &str) -> bool {
    seen.len() >= 7 && now.starts_with(&seen.to_lowercase())
}

/// The refusal of what was meant for another head.
#[must_use]
pub fn head_moved(how: &str) -> Refusal {
    let sentence = format!(
        "The pull request's head has moved: {how}. Look at what has changed, then repeat this with the new head."
    );
    Refusal::new(ErrorCode::HeadMoved, sentence)
}

/// The first characters of a commit's id, as people write it.
#[must_use]
pub fn short(sha: &str) -> &str {
    sha.get(..8).unwrap_or(sha)
}

/// A comment's text.
///
/// # Errors
/// When it is empty or too long.
pub fn comment_text(body: &str) -> Result<&str, Refusal> {
    let body = body.trim();
    if body.is_empty() {
        return Err(Refusal::invalid("'body' must not be empty."));
    }
    require_length(body)?;
    Ok(body)
}

/// Refuses a text that forges would not take.
///
/// # Errors
/// When it is too long.
pub fn require_length(body: &str) -> Result<(), Refusal> {
    if body.chars().count() > MAX_COMMENT_CHARS {
        return Err(Refusal::invalid("'body' is longer than 60000 characters, which is more than forges take."));
    }
    Ok(())
}

/// What is posted for a person by this system's account: it says whose words they are.
#[must_use]
pub fn in_the_name_of(name: &str, body: &str) -> String {
    format!("{} wrote:\n\n{body}", plain_name(name))
}

/// The text of an approval for a person, by another account.
#[must_use]
pub fn approval(name: &str, body: Option<&str>) -> String {
    let said =
        body.map(str::trim).filter(|body| !body.is_empty()).map(|body| format!("\n\n{body}")).unwrap_or_default();
    format!("Approved by {}.{said}", plain_name(name))
}

/// A name that is only text at a forge: no mention, no markup, and no line of its own.
fn plain_name(name: &str) -> String {
    let is_plain = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '.' | '-' | '\'' | ',');
    let name: String = name.chars().filter(is_plain).take(100).collect();
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.chars().any(char::is_alphanumeric) { name } else { "Someone".to_owned() }
}

/// What decides whether a pull request waits for nothing but a person who merges it.
#[derive(Clone, Copy, Debug)]
pub struct Readiness<'a> {
    /// Its state.
    pub state: PullState,
    /// Whether it is a draft.
    pub draft: bool,
    /// Whether the latest review that decides something approves this head; none: there is none for it.
    pub approved: Option<bool>,
    /// The checks of its head.
    pub checks: &'a [CheckResult],
    /// How many threads and orders are open.
    pub open: i64,
}

/// Whether it is approved or its checks pass, and nothing is open.
#[must_use]
pub fn is_ready(of: &Readiness<'_>) -> bool {
    let passes = |check: &CheckResult| matches!(check, CheckResult::Success | CheckResult::Neutral);
    let all_pass = of.checks.iter().all(passes);
    let is_green = all_pass && of.checks.contains(&CheckResult::Success);
    let wanted = match of.approved {
        Some(approved) => approved && all_pass,
        None => is_green,
    };
    of.state == PullState::Open && !of.draft && of.open == 0 && wanted
}

fn sentence(words: &str) -> String {
    let mut words = words.trim().trim_end_matches('.').to_owned();
    if let Some(first) = words.get(..1) {
        words.replace_range(..1, &first.to_uppercase());
    }
    format!("{words}.")
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
