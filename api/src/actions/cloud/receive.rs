//! What Cursor's webhook delivers: stored first, then noted with the agent that it is about.

use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::db::cloud::notices::{NewNotice, Said};
use crate::domain::actor::Actor;
use crate::domain::cloud::{CloudState, order_status};
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::domain::work_orders::OrderStatus;
use secrecy::SecretString;
use terarchitect_cursor::{Notice, Status, is_genuine};
use terarchitect_worker_api::TicketId;

/// The only event that says anything here.
const STATUS_CHANGE: &str = "statusChange";
/// The longest text of an agent that is kept, in bytes.
const MAX_SUMMARY_BYTES: usize = 64 * 1024;

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It says nothing that matters here.
    Ignored,
    /// It is about this order, which stands so or is about to.
    Order(TicketId, OrderStatus),
}

/// Refuses a delivery that none of these secrets proves to come from Cursor.
///
/// # Errors
/// When it is not signed, or signed with another secret.
pub fn require_genuine(secrets: &[SecretString], signature: Option<&str>, body: &[u8]) -> Result<(), Refusal> {
    let signature = signature.unwrap_or_default();
    // All are compared, so that the time says nothing.
    if secrets.iter().fold(false, |genuine, secret| genuine | is_genuine(secret, signature, body)) {
        return Ok(());
    }
    let sentence = "The webhook is not signed with this API's secret; agents that this API launches know it. Where other \
        programs launch them, set CURSOR_WEBHOOK_SECRET to theirs.";
    Err(Refusal::new(ErrorCode::SignatureRefused, sentence))
}

/// Stores a genuine delivery, and notes what it says. The same again changes nothing, and returns the same.
///
/// # Errors
/// When it can't be read, or is about an agent that is not known; then it is kept until its launch is.
pub async fn receive(database: &Database, delivery_id: &str, event: &str, body: &[u8]) -> ActionResult<Received> {
    let notice = Notice::read(body).map_err(|error| Refusal::invalid(format!("The body is not valid: {error}.")))?;
    if event != STATUS_CHANGE || notice.event != STATUS_CHANGE {
        return Ok(Received::Ignored);
    }
    let status = notice.status.unwrap_or(Status::Running);
    let mut change = database.change(&Actor::Unknown).await?;
    let text = String::from_utf8_lossy(body).replace('\0', "");
    let new = NewNotice { delivery_id, agent_id: &notice.agent, status: Some(status.as_str()), body: &text };
    db::cloud::notices::insert(&mut change, &new).await?;
    let Some(about) = db::cloud::notices::find(&mut change, &notice.agent).await? else {
        change.commit().await?;
        return Err(Refusal::not_found("work order of the agent", &notice.agent).into());
    };
    if status.is_over() {
        let summary = notice.summary.as_deref().map(|text| &text[..text.floor_char_boundary(MAX_SUMMARY_BYTES)]);
        let said =
            Said { status: status.as_str(), pull: notice.pull.as_deref(), branch: notice.branch.as_deref(), summary };
        db::cloud::notices::say(&mut change, about.id, &said).await?;
    }
    change.commit().await?;
    if about.state != CloudState::Ended {
        return Ok(Received::Order(about.ticket_id, order_status(status)));
    }
    let order = db::work_orders::list::find(&mut *database.read().await?, about.ticket_id).await?;
    Ok(Received::Order(about.ticket_id, order.map_or_else(|| order_status(status), |order| order.status)))
}
