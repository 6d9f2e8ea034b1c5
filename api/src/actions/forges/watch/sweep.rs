//! Asks a project's forge which of its pull requests have changed, and makes tickets of labelled issues.

use super::{Changed, ReadForge, issues};
use crate::actions::forges::ask::{ForgePlace, NoAnswer};
use crate::actions::forges::deliver::note_pull;
use crate::actions::{ActionError, ActionResult};
use crate::changes::Database;
use crate::db;
use crate::db::forges::sweeps::{DueSweep, Swept};
use crate::domain::actor::Actor;
use crate::domain::forges::pace::{retry_pause, sweep_pause};
use std::time::Duration;
use terarchitect_worker_api::ProjectId;

/// For how long no other process asks about a project that one is asking about: longer than its calls may take.
const LEASE: Duration = Duration::from_secs(180);

/// Asks about the next project whose time has come; false if there is none. `interval` is the pause while something happens.
///
/// # Errors
/// When the database is not available.
pub async fn sweep_next(database: &Database, forge: &dyn ReadForge, interval: Duration) -> ActionResult<bool> {
    let next = db::forges::sweeps::claim_next(&mut *database.read().await?, LEASE).await?;
    let Some(due) = next else { return Ok(false) };
    match ask(database, forge, &due).await? {
        Ok(found) => note(database, &due, found, interval).await?,
        Err(NoAnswer { sentence, retry_after }) => {
            tracing::warn!(project.id = %due.project_id, why = sentence, "could not ask a project's forge what has changed; retrying later");
            let pause = retry_pause(due.tries.try_into().unwrap_or_default()).max(interval);
            let wait = retry_after.map_or(pause, |wait| wait.max(pause));
            db::forges::sweeps::put_off(&mut *database.read().await?, &due, wait, &sentence).await?;
        }
    }
    Ok(true)
}

/// What a forge said.
struct Found {
    changed: Option<Changed>,
    is_needed: bool,
    new_tickets: usize,
}

async fn ask(database: &Database, forge: &dyn ReadForge, due: &DueSweep) -> ActionResult<Result<Found, NoAnswer>> {
    let mut found = Found { changed: None, is_needed: false, new_tickets: 0 };
    let Some(address) = due.github_url.clone() else { return Ok(Ok(found)) };
    let place = ForgePlace { project: ProjectId(due.project_id), address, kind: due.forge_kind };
    if due.has_pulls {
        found.is_needed = true;
        match forge.changed(&place, &due.since, due.etag.as_deref()).await {
            Ok(changed) => found.changed = changed,
            Err(error) => return Ok(Err(error)),
        }
    }
    if let Some(label) = &due.issue_label {
        found.is_needed = true;
        // A repository without issues, or a board without a backlog, must not keep what was found of pull requests.
        let why = match issues::make_tickets(database, forge, &place, label).await {
            Ok(Ok(made)) => {
                found.new_tickets = made;
                return Ok(Ok(found));
            }
            Ok(Err(no)) => no.sentence,
            Err(ActionError::Refused(refusal)) => refusal.message,
            Err(error) => return Err(error),
        };
        tracing::warn!(project.id = %due.project_id, why, "could not make tickets of issues; retrying later");
    }
    Ok(Ok(found))
}

/// Lets what has changed be read, and notes when to ask again.
async fn note(database: &Database, due: &DueSweep, found: Found, interval: Duration) -> ActionResult<()> {
    let mut change = database.change(&Actor::System).await?;
    let mut news = found.new_tickets;
    if let Some(changed) = &found.changed {
        for facts in &changed.pulls {
            news += note_pull(&mut change, due.project_id, changed.forge, facts).await?;
        }
    }
    let quiet = if news > 0 { 0 } else { due.quiet.saturating_add(1) };
    let changed = found.changed.as_ref();
    let swept = Swept {
        etag: changed.map_or(due.etag.as_deref(), |changed| changed.etag.as_deref()),
        since: changed.and_then(|changed| changed.latest.as_deref()).or(Some(&due.since)),
        quiet,
        wait: found.is_needed.then(|| sweep_pause(interval, quiet.try_into().unwrap_or_default())),
    };
    db::forges::sweeps::finish(&mut change, due, &swept).await?;
    Ok(change.commit().await?)
}
