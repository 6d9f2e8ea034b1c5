//! `terarchitect ticket log`.

use crate::app::App;
use crate::cli::LogOptions;
use crate::exit;
use crate::text;
use crate::watch::entry;
use terarchitect_client::{Client, ClientError, LogEntry, Ticket};

/// Entries of one page.
const PAGE: u32 = 100;

pub(super) async fn print(app: &App, options: &LogOptions) -> anyhow::Result<u8> {
    let ticket = app.ticket(&options.ticket).await?;
    let mut entries = read(&app.client, &ticket, options.tail).await?;
    if options.output {
        for entry in &mut entries {
            fill_in(&app.client, &ticket, entry).await?;
        }
    }
    if app.out.json {
        app.out.document(&entries)?;
        return Ok(exit::DONE);
    }
    if entries.is_empty() {
        app.out.note("The log is empty.");
    }
    for one in &entries {
        app.out.line(&entry::line(one, |text, tone| app.out.paint(text, tone)))?;
        if let Some(output) = one.raw_output.as_deref().filter(|_| options.output) {
            for line in text::block(output.trim_end()).lines() {
                app.out.line(&format!("    {line}"))?;
            }
        }
    }
    Ok(exit::DONE)
}

/// The entries, oldest first; only the last ones if so asked.
async fn read(client: &Client, ticket: &Ticket, tail: Option<usize>) -> Result<Vec<LogEntry>, ClientError> {
    let mut entries = match newest(client, ticket, tail).await {
        Err(error) if error.is_not_supported() => client.logs(ticket.project_id, ticket.id).await?,
        entries => entries?,
    };
    let surplus = tail.map_or(0, |tail| entries.len().saturating_sub(tail));
    Ok(entries.split_off(surplus))
}

/// Pages from the newest back, as many as are needed.
async fn newest(client: &Client, ticket: &Ticket, tail: Option<usize>) -> Result<Vec<LogEntry>, ClientError> {
    let mut entries: Vec<LogEntry> = Vec::new();
    loop {
        let before = entries.first().and_then(|entry| entry.seq);
        let mut page = client.timeline(ticket.project_id, ticket.id, before, None, PAGE).await?;
        let enough = tail.is_some_and(|tail| entries.len() + page.entries.len() >= tail);
        let older = page.older && page.entries.first().is_some_and(|entry| entry.seq.is_some());
        page.entries.append(&mut entries);
        entries = page.entries;
        if enough || !older {
            return Ok(entries);
        }
    }
}

/// Fetches the output of an entry that was listed without it.
async fn fill_in(client: &Client, ticket: &Ticket, entry: &mut LogEntry) -> Result<(), ClientError> {
    let size = entry.more.get("raw_bytes").and_then(serde_json::Value::as_i64).unwrap_or(0);
    if entry.raw_output.is_none() && size > 0 {
        entry.raw_output = client.log_entry(ticket.project_id, ticket.id, entry.id).await?.raw_output;
    }
    Ok(())
}
