//! Works on deliveries from their rows: any process may, and each is worked on by one.

use super::deliver::deliver;
use crate::actions::{ActionError, ActionResult};
use crate::changes::Database;
use crate::db;
use crate::db::errors::is_unavailable;
use crate::db::forges::deliveries::Claimed;
use crate::domain::actor::Actor;
use crate::domain::forges::DeliveryState;
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::{ErrorCode, Refusal};
use serde_json::json;
use std::time::Duration;
use terarchitect_outbound::chain;
use terarchitect_worker_api::ProjectId;
use uuid::Uuid;

/// How many times a delivery is tried that the API fails to work on.
const MAX_TRIES: i32 = 8;
/// The first pause between retries; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// For how long a delivery waits for the ticket that its pull request belongs to.
const WAIT_FOR_TICKET_SEC: f64 = 3600.0;

/// What working on a delivery came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was worked on.
    Done,
    /// It means nothing here.
    Ignored(String),
    /// It can't be read.
    Unreadable(&'static str),
    /// No ticket has its pull request yet.
    NoTicket(Option<i64>),
}

/// Works on the next delivery whose time has come; false if there is none.
///
/// # Errors
/// When the database is not available. Any other failure is noted with the delivery.
pub async fn work_on_next(database: &Database) -> ActionResult<bool> {
    let mut change = database.change(&Actor::System).await?;
    let Some(claimed) = db::forges::deliveries::claim_next(&mut change).await? else { return Ok(false) };
    let mut project = claimed.hook_project_id;
    let outcome = match deliver(&mut change, &claimed, &mut project).await {
        Ok(outcome) => outcome,
        Err(ActionError::Database(error)) if is_unavailable(&error) => return Err(error.into()),
        Err(error) => {
            drop(change);
            note_failure(database, &claimed, &error).await?;
            return Ok(true);
        }
    };
    let (state, reason) = match outcome {
        Outcome::Done => (DeliveryState::Done, None),
        Outcome::Ignored(reason) => (DeliveryState::Ignored, Some(reason)),
        Outcome::Unreadable(reason) => (DeliveryState::Failed, Some(reason.to_owned())),
        Outcome::NoTicket(number) => {
            let which = number.map(|number| format!(" {number}")).unwrap_or_default();
            let reason = format!("No ticket has the pull request{which}.");
            if claimed.age_sec < WAIT_FOR_TICKET_SEC {
                let wait = pause(claimed.tries);
                db::forges::deliveries::put_off(&mut change, claimed.id, wait, &reason, number).await?;
                change.commit().await?;
                return Ok(true);
            }
            (DeliveryState::Ignored, Some(reason))
        }
    };
    db::forges::deliveries::finish(&mut change, claimed.id, state, reason.as_deref(), project).await?;
    if state == DeliveryState::Failed {
        change.record(failed(&claimed, project, reason.as_deref()));
    }
    change.commit().await?;
    Ok(true)
}

fn pause(tries: i32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(tries.try_into().unwrap_or_default()));
    doubled.min(LONGEST_PAUSE)
}

fn failed(of: &Claimed, project: Option<Uuid>, reason: Option<&str>) -> NewEvent {
    let data = json!({"delivery_id": of.id, "sender": of.sender, "forge_event": of.event, "reason": reason});
    NewEvent { project_id: project.map(ProjectId), ..NewEvent::new(EventKind::DeliveryFailed).with(data) }
}

async fn note_failure(database: &Database, claimed: &Claimed, error: &ActionError) -> ActionResult<()> {
    let reason = match error {
        ActionError::Refused(refusal) => refusal.message.clone(),
        _ => format!("The API failed to work on it; its log has the cause under the delivery {}.", claimed.id),
    };
    let mut change = database.change(&Actor::System).await?;
    if claimed.tries + 1 < MAX_TRIES {
        tracing::warn!(delivery.id = %claimed.id, error = chain(error), "could not work on a delivery; retrying later");
        db::forges::deliveries::put_off(&mut change, claimed.id, pause(claimed.tries), &reason, None).await?;
    } else {
        tracing::error!(
            delivery.id = %claimed.id,
            error = chain(error),
            "could not work on a delivery, and gave up; replay it with POST /api/deliveries/{{id}}/replay"
        );
        let state = DeliveryState::Failed;
        db::forges::deliveries::finish(&mut change, claimed.id, state, Some(&reason), claimed.hook_project_id).await?;
        change.record(failed(claimed, claimed.hook_project_id, Some(&reason)));
    }
    Ok(change.commit().await?)
}

/// Lets a delivery be worked on once more. What it said before is not done twice.
///
/// # Errors
/// When there is none, or it waits anyway.
pub async fn replay(database: &Database, actor: &Actor, id: Uuid) -> ActionResult<()> {
    let mut change = database.change(actor).await?;
    let found = db::forges::deliveries::replay(&mut change, id).await?;
    let (before, project) = found.ok_or_else(|| Refusal::not_found("delivery", id))?;
    if before == DeliveryState::Waiting {
        let sentence = "This delivery waits, and is worked on by itself; there is nothing to replay.";
        return Err(Refusal::new(ErrorCode::NotFinished, sentence).into());
    }
    let event = NewEvent::new(EventKind::DeliveryReplayed).with(json!({"delivery_id": id, "was": before}));
    change.record(NewEvent { project_id: project.map(ProjectId), ..event });
    Ok(change.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_have_an_end() {
        assert_eq!((pause(0).as_secs(), pause(1).as_secs(), pause(3).as_secs()), (2, 4, 16));
        assert_eq!((pause(40), pause(-1)), (LONGEST_PAUSE, FIRST_PAUSE));
    }
}
