//! `terarchitect inbox`.

mod decide;
mod show;

use crate::app::App;
use crate::cli::InboxAction;
use crate::exit;
use crate::output::{Field, Tone, field, toned};
use crate::text;
use terarchitect_client::InboxItem;

pub(crate) async fn execute(app: &App, action: Option<InboxAction>) -> anyhow::Result<u8> {
    match action.unwrap_or(InboxAction::List) {
        InboxAction::List => list(app).await,
        InboxAction::Show { item } => show::show(app, &app.inbox_item(&item).await?),
        InboxAction::Approve { item, answer } => decide::approve(app, &item, answer).await,
        InboxAction::Reject { item, reason } => decide::reject(app, &item, reason).await,
        InboxAction::Snooze { ticket, time } => {
            let ticket = app.ticket(&ticket).await?;
            let said = app.client.snooze(ticket.id, time).await?;
            if app.out.json {
                app.out.document(&said)?;
            } else {
                let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
                app.out.note(&format!("'{}' is back in {}.", text::line(&ticket.title), text::span(seconds)));
            }
            Ok(exit::DONE)
        }
    }
}

async fn list(app: &App) -> anyhow::Result<u8> {
    let mut inbox = app.client.inbox().await?;
    if app.common.project.is_some() {
        let project = app.project(None).await?.id;
        inbox.items.retain(|item| item.project_id == project);
    }
    if app.out.json {
        app.out.document(&inbox)?;
        return Ok(exit::DONE);
    }
    if inbox.items.is_empty() {
        app.out.note("Nothing waits for you.");
    } else {
        let head = ["Ticket", "Project", "Title", "What", "Since", "Change", "Sentence"];
        app.out.table(&head, inbox.items.iter().map(|item| row(app, item)).collect())?;
    }
    if inbox.snoozed > 0 {
        app.out.note(&format!("{} more are put off.", inbox.snoozed));
    }
    Ok(exit::DONE)
}

/// What an item is, in a word or two.
fn what(item: &InboxItem) -> (&str, Tone) {
    let stage = item.checkpoint.as_ref().and_then(|checkpoint| checkpoint.stage.as_deref());
    match (item.kind.as_str(), stage) {
        ("pull_request", _) => ("pull request", Tone::Good),
        ("failed", _) => ("failed", Tone::Bad),
        ("checkpoint", Some("start")) => ("may it start?", Tone::Warn),
        ("checkpoint", Some("diff")) => ("changes", Tone::Warn),
        ("checkpoint", Some("output")) => ("result", Tone::Warn),
        // A question, a plan, or what a newer API has.
        ("checkpoint", Some(stage)) => (stage, Tone::Warn),
        (other, _) => (other, Tone::Warn),
    }
}

fn row(app: &App, item: &InboxItem) -> Vec<Field> {
    let id = if app.out.terminal { text::short_id(item.ticket_id) } else { item.ticket_id.to_string() };
    let (what, tone) = what(item);
    let sentence = item.pr_url.as_deref().filter(|_| item.kind == "pull_request").unwrap_or(&item.sentence);
    let since = match item.since {
        Some(at) if !app.out.terminal => at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        at => text::ago(at),
    };
    let change = item.diffstat.map(|stat| format!("+{} −{}", stat.added, stat.removed)).unwrap_or_default();
    vec![
        toned(id, Tone::Dim),
        field(&item.project_name),
        field(&item.title),
        toned(what, tone),
        field(since),
        field(change),
        field(sentence),
    ]
}
