//! `terarchitect ticket new`.

use super::move_to;
use crate::app::App;
use crate::cli::NewOptions;
use crate::exit;
use crate::text;
use crate::watch::Watch;
use anyhow::Context;
use serde_json::json;
use std::io::IsTerminal;
use terarchitect_client::{NewTicket, Ticket};

pub(super) async fn new(app: &App, options: NewOptions) -> anyhow::Result<u8> {
    let project = app.project(None).await?;
    let description = description(&options)?;
    let ticket = NewTicket {
        title: options.title,
        description,
        column_id: "backlog".to_owned(),
        priority: options.priority.map(|priority| priority.as_str().to_owned()),
    };
    let ticket = app.client.create_ticket(project.id, &ticket).await?;
    let id = text::short_id(ticket.id);
    if !options.run {
        if app.out.terminal && !app.out.json {
            app.out
                .note(&format!("Made '{}'. Run it: terarchitect ticket run {id} --watch", text::line(&ticket.title)));
        }
        return made(app, &ticket);
    }
    let not_started = || format!("ticket {id} was made, but not started; `terarchitect ticket run {id}` starts it");
    if !options.watch {
        let ticket = move_to(app, &ticket, "in_progress").await.with_context(not_started)?;
        return made(app, &ticket);
    }
    let watch = Watch::prepare(app, &ticket, 0).await.with_context(not_started)?;
    let ticket = move_to(app, &ticket, "in_progress").await.with_context(not_started)?;
    if app.out.json {
        app.out.json_line(&json!({"type": "ticket", "ticket": ticket}))?;
    } else {
        let where_ = format!("Ticket {id} of {}: {}", text::line(&project.name), text::line(&ticket.title));
        app.out.note(&where_);
    }
    watch.follow().await
}

fn made(app: &App, ticket: &Ticket) -> anyhow::Result<u8> {
    if app.out.json {
        app.out.document(ticket)?;
    } else {
        app.out.line(&ticket.id.to_string())?;
    }
    Ok(exit::DONE)
}

/// The text of the ticket: what is given, else what comes in.
fn description(options: &NewOptions) -> anyhow::Result<Option<String>> {
    let text = match (&options.text, &options.file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) if file.as_os_str() != "-" => {
            std::fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?
        }
        (None, None) if std::io::stdin().is_terminal() => return Ok(None),
        _ => text::stdin()?,
    };
    Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
}
