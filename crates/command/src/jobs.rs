//! `terarchitect jobs`.

use crate::app::App;
use crate::cli::JobsOptions;
use crate::exit;
use crate::output::{Tone, field, tone_of, toned};
use crate::text;
use terarchitect_client::{Job, JobFilter};

pub(crate) async fn list(app: &App, options: &JobsOptions) -> anyhow::Result<u8> {
    let ticket = match &options.ticket {
        Some(ticket) => Some(app.ticket(ticket).await?.id),
        None => None,
    };
    let project = match (&ticket, &app.common.project) {
        (None, Some(_)) => Some(app.project(None).await?.id),
        _ => None,
    };
    let status = options.status.map(|status| status.as_str().to_owned());
    let filter = JobFilter { project, ticket, status, limit: Some(options.limit), ..JobFilter::default() };
    let page = app.client.jobs(&filter).await?;
    if app.out.json {
        app.out.document(&page)?;
        return Ok(exit::DONE);
    }
    if page.jobs.is_empty() {
        app.out.note("There is no such job.");
        return Ok(exit::DONE);
    }
    let head = ["ID", "Ticket", "Kind", "Status", "Attempt", "Created", "Coordinator", "Reason"];
    app.out.table(&head, page.jobs.iter().map(|job| row(app, job)).collect())?;
    Ok(exit::DONE)
}

fn row(app: &App, job: &Job) -> Vec<crate::output::Field> {
    let id = |id: uuid::Uuid| if app.out.terminal { text::short_id(id) } else { id.to_string() };
    let stopping = job.cancel_requested_at.is_some() && job.is_live();
    let created = match job.created_at {
        Some(at) if !app.out.terminal => at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        at => text::ago(at),
    };
    let status = if stopping { "stopping" } else { &job.status };
    vec![
        toned(id(job.id), Tone::Dim),
        field(id(job.ticket_id)),
        field(&job.kind),
        toned(status, tone_of(status)),
        field(job.attempt.to_string()),
        field(created),
        field(job.worker_id.as_deref().unwrap_or_default()),
        field(job.outcome_reason.as_deref().unwrap_or_default()),
    ]
}
