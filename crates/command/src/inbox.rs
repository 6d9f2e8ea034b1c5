//! `terarchitect inbox`.

use crate::app::App;
use crate::cli::InboxAction;
use crate::exit;
use crate::output::{Field, Tone, field, toned};
use crate::text;
use terarchitect_client::InboxItem;

pub(crate) async fn execute(app: &App, action: Option<InboxAction>) -> anyhow::Result<u8> {
    match action.unwrap_or(InboxAction::List) {
        InboxAction::List => list(app).await,
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

fn row(app: &App, item: &InboxItem) -> Vec<Field> {
    let id = if app.out.terminal { text::short_id(item.ticket_id) } else { item.ticket_id.to_string() };
    let (what, tone) = match item.kind.as_str() {
        "pull_request" => ("pull request", Tone::Good),
        "failed" => ("failed", Tone::Bad),
        other => (other, Tone::Warn),
    };
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
