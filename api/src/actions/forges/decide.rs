//! Decides whether what was said is an order. The forge is asked in between, without a lock.

use super::ask::{AskForge, ForgePlace, NoAnswer};
use super::posts;
use super::surroundings::{self, Surroundings};
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::forges::comments::Undecided;
use crate::domain::actor::Actor;
use crate::domain::forges::orders::{Review, Rules, Said, Verdict, decide, may_order};
use crate::domain::forges::{Account, CommentKind, ForgeKind, PullState};
use crate::domain::live::event::{EventKind, NewEvent};
use serde_json::json;
use std::time::Duration;
use terarchitect_worker_api::{ProjectId, TicketId};

/// For how long no other process takes a comment that one is deciding on.
const LEASE: Duration = Duration::from_secs(60);
/// The first pause before a forge is asked again; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// The pause while a comment's review, or a check's commit, has not been received. It is also noted when that comes.
const WAIT: Duration = Duration::from_secs(5);

/// What came of the next comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// There was none to decide on.
    Nothing,
    /// It is an order.
    Accepted,
    /// It is none, or it is not known yet.
    Other,
}

/// Decides on the next comment.
///
/// # Errors
/// When the database is not available.
pub async fn decide_next(database: &Database, forge: &dyn AskForge) -> ActionResult<Decided> {
    let next = db::forges::comments::claim_undecided(&mut *database.read().await?, LEASE).await?;
    let Some(comment) = next else { return Ok(Decided::Nothing) };
    match learn(forge, &comment).await {
        Ok(Learned::Wait) => {
            put_off(database, &comment, WAIT, None).await?;
            Ok(Decided::Other)
        }
        Ok(Learned::Refused(reason)) => {
            note(database, &comment, Err(&reason), false).await?;
            Ok(Decided::Other)
        }
        Ok(Learned::Spent(reason)) => {
            note(database, &comment, Err(&reason), true).await?;
            Ok(Decided::Other)
        }
        Ok(Learned::Accepted(surroundings)) => {
            note(database, &comment, Ok(&surroundings), false).await?;
            Ok(Decided::Accepted)
        }
        Err(NoAnswer { sentence, retry_after }) => {
            tracing::warn!(comment.id = %comment.id, why = sentence, "could not ask a forge about a comment; asking again later");
            let wait = retry_after.unwrap_or_else(|| pause(comment.tries));
            put_off(database, &comment, wait, Some(&sentence)).await?;
            Ok(Decided::Other)
        }
    }
}

/// How long a forge that gave no answer is left alone, after so many tries.
pub(super) fn pause(tries: i32) -> Duration {
    let doublings = tries.saturating_sub(1).clamp(0, 16);
    FIRST_PAUSE.saturating_mul(2_u32.pow(doublings.unsigned_abs())).min(LONGEST_PAUSE)
}

/// What is known of a comment once the forge was asked.
enum Learned {
    /// Not enough.
    Wait,
    /// It is no order; a sentence says why.
    Refused(String),
    /// It is a failing check beyond those that the project allows; a sentence says so.
    Spent(String),
    /// It is an order, and this comes with it.
    Accepted(Surroundings),
}

async fn learn(forge: &dyn AskForge, comment: &Undecided) -> Result<Learned, NoAnswer> {
    let Some(address) = comment.github_url.clone() else {
        return Ok(Learned::Refused("The project has no repository any more.".to_owned()));
    };
    let place = ForgePlace { project: ProjectId(comment.project_id), address, kind: comment.forge_kind };
    // What is over needs no question.
    let bot = if comment.pull_state == PullState::Open { forge.me(&place).await? } else { Account::default() };
    match verdict(forge, &place, &bot, comment).await? {
        Verdict::Wait => Ok(Learned::Wait),
        Verdict::Refused(reason) => Ok(Learned::Refused(reason)),
        Verdict::Spent(reason) => Ok(Learned::Spent(reason)),
        // The others were asked for, so nothing is in its way.
        Verdict::Accepted | Verdict::IfWriter | Verdict::IfBasePasses => {
            let read = surroundings::read(forge, &place, &bot, comment).await?;
            Ok(read.map_or_else(Learned::Refused, Learned::Accepted))
        }
    }
}

async fn verdict(
    forge: &dyn AskForge,
    place: &ForgePlace,
    bot: &Account,
    comment: &Undecided,
) -> Result<Verdict, NoAnswer> {
    let author =
        Account { id: comment.author_id.clone(), login: comment.author_login.clone(), is_bot: comment.author_is_bot };
    let rules = Rules {
        bot,
        trigger: comment.review_trigger,
        bots: &comment.review_bots,
        pull: comment.pull_state,
        head_sha: comment.pull_head.as_deref(),
        fixes: comment.fixes,
        max_check_fixes: comment.max_check_fixes,
    };
    let said = Said {
        kind: comment.kind,
        author: &author,
        body: &comment.body,
        head_sha: comment.head_sha.as_deref(),
        review: review_of(comment),
        age: Duration::try_from_secs_f64(comment.age_sec).unwrap_or_default(),
    };
    match decide(&said, &rules) {
        Verdict::IfWriter => Ok(may_order(&author.login, forge.permission(place, &author.login).await?)),
        Verdict::IfBasePasses => base_passes(forge, place, comment).await,
        verdict => Ok(verdict),
    }
}

fn review_of(comment: &Undecided) -> Review {
    match (&comment.review_id, comment.review_state) {
        (_, Some(state)) => Review::Known(state),
        (Some(_), None) if comment.kind == CommentKind::Line => Review::Unknown,
        // GitLab sets the reviewer's state after what the reviewer says, and does not tie them together.
        (None, None)
            if comment.at == Some(ForgeKind::GitLab)
                && matches!(comment.kind, CommentKind::Line | CommentKind::General) =>
        {
            Review::Unknown
        }
        _ => Review::None,
    }
}

async fn base_passes(forge: &dyn AskForge, place: &ForgePlace, comment: &Undecided) -> Result<Verdict, NoAnswer> {
    let Some(base) = &comment.base else { return Ok(Verdict::Accepted) };
    Ok(match forge.passes(place, base).await? {
        Some(false) => Verdict::Refused(format!("The checks of {base} fail as well.")),
        Some(true) | None => Verdict::Accepted,
    })
}

async fn put_off(database: &Database, comment: &Undecided, wait: Duration, reason: Option<&str>) -> ActionResult<()> {
    Ok(db::forges::comments::put_off(&mut *database.read().await?, comment.id, wait, reason).await?)
}

/// Notes what was decided, unless something else was meanwhile. `is_spent`: checks are left to people from here on, which
/// they are told, where the project has checks fixed at all.
async fn note(
    database: &Database,
    comment: &Undecided,
    decided: Result<&Surroundings, &str>,
    is_spent: bool,
) -> ActionResult<()> {
    let mut change = database.change(&Actor::System).await?;
    let is_noted = match decided {
        Err(reason) => db::forges::comments::refuse(&mut change, comment.id, reason).await?,
        Ok(Surroundings { conversation, log }) => {
            db::forges::comments::accept(&mut change, comment.id, conversation.as_deref(), log.as_deref()).await?
        }
    };
    if is_noted {
        let (project, ticket) = (ProjectId(comment.project_id), TicketId(comment.ticket_id));
        let data = json!({
            "comment_id": comment.id, "pr_number": comment.number, "comment_kind": comment.kind,
            "by": comment.author_login, "accepted": decided.is_ok(), "reason": decided.err(),
        });
        change.record(NewEvent::of_ticket(EventKind::CommentDecided, project, ticket).with(data));
        if is_spent && comment.max_check_fixes > 0 {
            let limit = comment.max_check_fixes;
            posts::say_checks_are_left(&mut change, (project, ticket), comment.number, limit).await?;
        }
    }
    Ok(change.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forge_that_does_not_respond_is_asked_less_and_less() {
        assert_eq!((pause(1).as_secs(), pause(2).as_secs(), pause(4).as_secs()), (5, 10, 40));
        assert_eq!((pause(0), pause(1_000)), (FIRST_PAUSE, LONGEST_PAUSE));
    }
}
