//! `terarchitect ticket`.

mod list;
mod log;
mod new;
mod show;

use crate::app::App;
use crate::cli::TicketAction;
use crate::exit::{self, failed, usage};
use crate::text;
use crate::watch::Watch;
use terarchitect_client::{Ticket, TicketChange};

/// How many entries of the past a watch begins with.
const SHOWN_BEFORE: usize = 10;

pub(crate) async fn execute(app: &App, action: TicketAction) -> anyhow::Result<u8> {
    match action {
        TicketAction::New(options) => new::new(app, options).await,
        TicketAction::Run { ticket, watch } => run(app, &app.ticket(&ticket).await?, watch).await,
        TicketAction::Stop { ticket } => stop(app, &app.ticket(&ticket).await?).await,
        TicketAction::Retry { ticket, note, watch } => {
            retry(app, &app.ticket(&ticket).await?, note.as_deref(), watch).await
        }
        TicketAction::Watch { ticket } => {
            let ticket = app.ticket(&ticket).await?;
            Watch::prepare(app, &ticket, SHOWN_BEFORE).await?.follow().await
        }
        TicketAction::Log(options) => log::print(app, &options).await,
        TicketAction::Tell { ticket, text } => tell(app, &app.ticket(&ticket).await?, text).await,
        TicketAction::Show { ticket } => show::show(app, &app.ticket(&ticket).await?).await,
        TicketAction::List { column } => list::list(app, column.as_deref()).await,
        TicketAction::Move { ticket, column } => {
            let ticket = app.ticket(&ticket).await?;
            let ticket = move_to(app, &ticket, &column).await?;
            said(app, &ticket, &format!("'{}' is in {} now.", text::line(&ticket.title), text::line(&ticket.column_id)))
        }
    }
}

async fn move_to(app: &App, ticket: &Ticket, column: &str) -> anyhow::Result<Ticket> {
    let change = TicketChange { column_id: Some(column.to_owned()) };
    Ok(app.client.change_ticket(ticket.project_id, ticket.id, &change).await?)
}

/// Prints the ticket for programs, or a sentence for people.
fn said(app: &App, ticket: &Ticket, sentence: &str) -> anyhow::Result<u8> {
    if app.out.json {
        app.out.document(ticket)?;
    } else {
        app.out.note(sentence);
    }
    Ok(exit::DONE)
}

async fn run(app: &App, ticket: &Ticket, watch: bool) -> anyhow::Result<u8> {
    if watch {
        let watch = Watch::prepare(app, ticket, 0).await?;
        move_to(app, ticket, "in_progress").await?;
        return watch.follow().await;
    }
    let ticket = move_to(app, ticket, "in_progress").await?;
    let id = text::short_id(ticket.id);
    said(
        app,
        &ticket,
        &format!("'{}' is in progress. Watch it: terarchitect ticket watch {id}", text::line(&ticket.title)),
    )
}

async fn stop(app: &App, ticket: &Ticket) -> anyhow::Result<u8> {
    let said = app.client.stop_ticket(ticket.project_id, ticket.id).await?;
    if app.out.json {
        app.out.document(&said)?;
    } else {
        app.out.note(&said.message);
    }
    Ok(exit::DONE)
}

async fn retry(app: &App, ticket: &Ticket, note: Option<&str>, watch: bool) -> anyhow::Result<u8> {
    let title = text::line(&ticket.title);
    let Some(job) = app.client.newest_job(ticket.id).await? else {
        return Err(failed(format!("'{title}' was never started; start it with `terarchitect ticket run`")));
    };
    if note.is_some() {
        // An older API would drop the note without a word; it does not have this call either.
        app.client.messages(ticket.project_id, ticket.id).await?;
    }
    let watch = if watch { Some(Watch::prepare(app, ticket, 0).await?) } else { None };
    let job = app.client.retry_job(job.id, note).await?;
    match watch {
        Some(watch) => watch.follow().await,
        None if app.out.json => app.out.document(&job).map(|()| exit::DONE),
        None => {
            let id = text::short_id(ticket.id);
            app.out.note(&format!("'{title}' is in the queue again. Watch it: terarchitect ticket watch {id}"));
            Ok(exit::DONE)
        }
    }
}

async fn tell(app: &App, ticket: &Ticket, text: String) -> anyhow::Result<u8> {
    let text = if text == "-" { text::stdin()? } else { text };
    if text.trim().is_empty() {
        return Err(usage("there is nothing to tell"));
    }
    let message = app.client.tell(ticket.project_id, ticket.id, &text).await?;
    if app.out.json {
        app.out.document(&message)?;
    } else {
        app.out.note("The agent gets it with its next prompt.");
    }
    Ok(exit::DONE)
}
