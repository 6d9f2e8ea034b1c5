//! `terarchitect ticket show`.

use crate::app::App;
use crate::exit;
use crate::output::{field, tone_of, toned};
use crate::state;
use crate::text;
use serde_json::json;
use terarchitect_client::{Attempt, State, Ticket};

pub(super) async fn show(app: &App, ticket: &Ticket) -> anyhow::Result<u8> {
    let page = match app.client.ticket_page(ticket.project_id, ticket.id).await {
        Ok(page) => Some(page),
        Err(error) if error.is_not_supported() => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(page) = page {
        if app.out.json {
            app.out.document(&page)?;
        } else {
            print(app, &page.ticket, &page.card.state, &page.attempts)?;
        }
        return Ok(exit::DONE);
    }
    // An older API: the same from its parts.
    let ticket = app.client.ticket(ticket.project_id, ticket.id).await?;
    let job = match app.client.newest_job(ticket.id).await? {
        Some(job) => Some(app.client.job(job.id).await?),
        None => None,
    };
    let state = state::of_job(&ticket, job.as_ref().map(|detail| &detail.job));
    let attempts = job.map(|detail| detail.attempts).unwrap_or_default();
    if app.out.json {
        app.out.document(&json!({"ticket": ticket, "state": state, "attempts": attempts}))?;
    } else {
        print(app, &ticket, &state, &attempts)?;
    }
    Ok(exit::DONE)
}

fn print(app: &App, ticket: &Ticket, state: &State, attempts: &[Attempt]) -> anyhow::Result<()> {
    app.out.line(&text::line(&ticket.title))?;
    let (word, rest) = state::word_and_rest(state);
    app.out.line(&format!("  state         {}{rest}", app.out.paint(&word, tone_of(&state.word))))?;
    let facts = [
        ("id", ticket.id.to_string()),
        ("column", ticket.column_id.clone()),
        ("priority", ticket.priority.clone()),
        ("pull request", ticket.pr_url.clone().unwrap_or_default()),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        app.out.line(&format!("  {name:<13} {}", text::line(value)))?;
    }
    if let Some(description) = ticket.description.as_deref().filter(|text| !text.trim().is_empty()) {
        app.out.line("")?;
        for line in text::block(description.trim()).lines() {
            app.out.line(&format!("  {line}"))?;
        }
    }
    if !attempts.is_empty() {
        app.out.line("")?;
        let row = |attempt: &Attempt| {
            let outcome = attempt.outcome.as_deref().unwrap_or("running");
            vec![
                field(format!("attempt {}", attempt.attempt)),
                toned(outcome, tone_of(outcome)),
                field(attempt.reason.as_deref().unwrap_or_default()),
                field(text::short(attempt.detail.as_deref().unwrap_or_default(), 200)),
            ]
        };
        app.out.table(&["", "Outcome", "Reason", "Detail"], attempts.iter().map(row).collect())?;
        if let Some(tail) = attempts.last().and_then(|attempt| attempt.log_tail.as_deref()) {
            app.out.line("")?;
            for line in text::block(tail).lines() {
                app.out.line(&format!("  {line}"))?;
            }
        }
    }
    Ok(())
}
