//! Whether what is said about a pull request is an order to the agent: who may give one, and what counts as one.

use super::mentions::{mentions, plain_login};
use super::{Account, CommentKind, Permission, PullState, ReviewState, ReviewTrigger};
use std::time::Duration;
use terarchitect_worker_api::visible;

/// For how long a comment on a line waits for the review that it belongs to: the forge sends one event for each, and
/// promises no order.
pub const WAIT_FOR_REVIEW: Duration = Duration::from_secs(600);
/// For how long a check waits for its commit to become the head.
pub const WAIT_FOR_HEAD: Duration = Duration::from_secs(120);

const MARKER: &str = "<!-- terarchitect:";

/// What a pull request and its project say about orders.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The account that this system uses at the forge.
    pub bot: &'a Account,
    /// What counts as an order.
    pub trigger: ReviewTrigger,
    /// Bots whose comments count as those of people do.
    pub bots: &'a [String],
    /// The pull request's state.
    pub pull: PullState,
    /// Its head.
    pub head_sha: Option<&'a str>,
    /// How many jobs were made of its failing checks.
    pub fixes: i32,
    /// How many may be.
    pub max_check_fixes: i32,
}

/// Something that was said about a pull request.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// What it is.
    pub kind: CommentKind,
    /// Who said it.
    pub author: &'a Account,
    /// Its text, as it was when it was said.
    pub body: &'a str,
    /// The head that it is about.
    pub head_sha: Option<&'a str>,
    /// Its review.
    pub review: Review,
    /// How long ago it was received.
    pub age: Duration,
}

/// The review that something belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    /// It belongs to none.
    None,
    /// It belongs to one that has not been received.
    Unknown,
    /// It belongs to this one, or is it.
    Known(ReviewState),
}

/// What is decided before the forge is asked about the author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is no order; a sentence says why.
    Refused(String),
    /// It is a failing check, and as many were given to the agent as may be; a sentence says so.
    Spent(String),
    /// What it depends on is not known yet.
    Wait,
    /// It is an order, if its author may write to the repository.
    IfWriter,
    /// It is an order, if the base branch passes its own checks.
    IfBasePasses,
    /// It is an order.
    Accepted,
}

fn refused(sentence: &str) -> Verdict {
    Verdict::Refused(sentence.to_owned())
}

/// Whether it is an order, as far as that is known without the forge.
#[must_use]
pub fn decide(said: &Said<'_>, rules: &Rules<'_>) -> Verdict {
    if rules.pull != PullState::Open {
        return refused("The pull request is no longer open.");
    }
    match said.kind {
        CommentKind::Check => return decide_check(said, rules),
        CommentKind::Conflict => return Verdict::Accepted,
        CommentKind::Line | CommentKind::General | CommentKind::Review => {}
    }
    if is_same(said.author, rules.bot) {
        return refused("The bot itself wrote it.");
    }
    if is_marked(said.body) {
        return refused("It has the mark of what this system writes.");
    }
    let is_listed = rules.bots.iter().any(|bot| plain_login(bot) == plain_login(&said.author.login));
    if said.author.is_bot && !is_listed {
        return Verdict::Refused(format!(
            "{} is a bot that the project does not list in review_bots.",
            said.author.login
        ));
    }
    let text = visible(said.body);
    let asks_for_changes = said.review == Review::Known(ReviewState::ChangesRequested);
    if text.is_empty() {
        return refused(match said.kind {
            CommentKind::Review => "The review has no text of its own; its comments count for themselves.",
            _ => "It has no text that can be seen.",
        });
    }
    let mentioned = mentions(&text, &rules.bot.login);
    let is_order = match rules.trigger {
        ReviewTrigger::Any => true,
        ReviewTrigger::Mention => mentioned,
        ReviewTrigger::Changes => asks_for_changes,
        ReviewTrigger::ChangesOrMention => asks_for_changes || mentioned,
    };
    match (is_order, rules.trigger) {
        (true, _) if is_listed && said.author.is_bot => Verdict::Accepted,
        (true, _) => Verdict::IfWriter,
        (false, ReviewTrigger::Changes | ReviewTrigger::ChangesOrMention)
            if said.review == Review::Unknown && said.age < WAIT_FOR_REVIEW =>
        {
            Verdict::Wait
        }
        (false, ReviewTrigger::Mention) => refused("It does not mention the bot."),
        (false, ReviewTrigger::Changes) => refused("It is not part of a review that asks for changes."),
        (false, _) => refused("It neither mentions the bot nor is part of a review that asks for changes."),
    }
}

fn decide_check(said: &Said<'_>, rules: &Rules<'_>) -> Verdict {
    if rules.fixes >= rules.max_check_fixes {
        return Verdict::Spent(format!(
            "Failing checks of this pull request were given to the agent {} times, which is max_check_fixes.",
            rules.fixes
        ));
    }
    if rules.head_sha.is_some() && said.head_sha != rules.head_sha {
        // The event of the push may come after that of the check.
        if said.age < WAIT_FOR_HEAD {
            return Verdict::Wait;
        }
        return refused("It is about a commit that is not the head of the pull request.");
    }
    Verdict::IfBasePasses
}

/// Whether an author may give orders.
#[must_use]
pub fn may_order(author: &str, permission: Permission) -> Verdict {
    if permission >= Permission::Write {
        return Verdict::Accepted;
    }
    Verdict::Refused(format!("{author} may not write to the repository."))
}

/// By the id where both have one: a name can be changed, and taken by another account.
pub(super) fn is_same(author: &Account, bot: &Account) -> bool {
    match (&author.id, &bot.id) {
        (Some(author), Some(bot)) => author == bot,
        _ => !bot.login.is_empty() && plain_login(&author.login) == plain_login(&bot.login),
    }
}

/// Whether the last line is the mark that this system puts under what it writes.
fn is_marked(body: &str) -> bool {
    let last = body.trim_end().lines().next_back().unwrap_or_default().trim();
    last.starts_with(MARKER) && last.ends_with("-->")
}

#[cfg(test)]
#[path = "orders_tests.rs"]
mod tests;
