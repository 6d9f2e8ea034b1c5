//! Sets a line of a work order done or open.

use super::{missing, record_changed};
use crate::actions::ActionResult;
use crate::changes::Database;
use crate::db;
use crate::domain::actor::Actor;
use crate::domain::refusal::Refusal;
use crate::domain::work_orders::lines::{Line, set_status};
use terarchitect_worker_api::TicketId;

/// Sets a line, which is named by its id or its place. Returns it, and the lines that are open then.
///
/// # Errors
/// When there is no such order or line.
pub async fn set_line(
    database: &Database,
    actor: &Actor,
    id: TicketId,
    which: &str,
    status: &'static str,
) -> ActionResult<(Line, Vec<Line>)> {
    let mut change = database.change(actor).await?;
    let order = db::work_orders::list::find_for_update(&mut change, id).await?.ok_or_else(|| missing(id))?;
    let mut lines = order.lines.0.clone();
    let place = set_status(&mut lines, which, status)?;
    if lines != order.lines.0 {
        db::work_orders::set_lines(&mut change, id, &lines).await?;
        record_changed(&mut change, &order, order.status, &lines);
    }
    change.commit().await?;
    let line = lines.get(place).cloned().ok_or_else(|| Refusal::not_found("line", which))?;
    lines.retain(Line::is_open);
    Ok((line, lines))
}
