//! `terarchitect orders`.

mod create;
mod show;

use crate::app::App;
use crate::cli::OrderAction;
use crate::exit;
use crate::output::{Field, Tone, field, tone_of, toned};
use crate::text;
use terarchitect_client::{OrderFilter, WorkOrder};

pub(crate) async fn execute(app: &App, action: Option<OrderAction>) -> anyhow::Result<u8> {
    match action {
        None => list(app, &OrderFilter { limit: Some(20), ..OrderFilter::default() }).await,
        Some(OrderAction::List { status, limit }) => {
            let status = status.map(|status| status.as_str().to_owned());
            list(app, &OrderFilter { status, limit: Some(limit), ..OrderFilter::default() }).await
        }
        Some(OrderAction::Show { order }) => {
            let found = app.order(&order).await?;
            show::show(app, &app.client.order(found.id).await?)
        }
        Some(OrderAction::Create(options)) => create::create(app, options).await,
        Some(OrderAction::Cancel { order }) => cancel(app, &order).await,
    }
}

async fn list(app: &App, filter: &OrderFilter) -> anyhow::Result<u8> {
    let project = match app.common.project {
        Some(_) => Some(app.project(None).await?.id),
        None => None,
    };
    let page = app.client.orders(&OrderFilter { project, ..filter.clone() }).await?;
    if app.out.json {
        app.out.document(&page)?;
        return Ok(exit::DONE);
    }
    if page.work_orders.is_empty() {
        app.out.note("There is no such work order. Make one: terarchitect orders create \"What is to be reached\" --line \"What to do\"");
        return Ok(exit::DONE);
    }
    let head = ["ID", "Objective", "Status", "Lines", "Created", "Result"];
    app.out.table(&head, page.work_orders.iter().map(|order| row(app, order)).collect())?;
    if page.next_cursor.is_some() {
        app.out.note("There are more; -n shows up to 200.");
    }
    Ok(exit::DONE)
}

fn row(app: &App, order: &WorkOrder) -> Vec<Field> {
    let id = if app.out.terminal { text::short_id(order.id) } else { order.id.to_string() };
    let done = order.lines.iter().filter(|line| is_over(&line.status)).count();
    let lines = if order.lines.is_empty() { String::new() } else { format!("{done}/{}", order.lines.len()) };
    let created = match order.created_at {
        Some(at) if !app.out.terminal => at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        at => text::ago(at),
    };
    vec![
        toned(id, Tone::Dim),
        field(text::short(&order.objective, 60)),
        toned(&order.status, tone_of(&order.status)),
        field(lines),
        field(created),
        field(result(order)),
    ]
}

/// What came of an order, or why nothing did.
fn result(order: &WorkOrder) -> &str {
    let said = [&order.pr_url, &order.launch_error, &order.error_message];
    said.into_iter().find_map(|said| said.as_deref().filter(|said| !said.is_empty())).unwrap_or_default()
}

/// Whether nothing is left to do on a line.
fn is_over(status: &str) -> bool {
    matches!(status, "completed" | "skipped")
}

async fn cancel(app: &App, wanted: &str) -> anyhow::Result<u8> {
    let order = app.order(wanted).await?;
    let done = app.client.cancel_order(order.id).await?;
    if app.out.json {
        app.out.document(&done)?;
        return Ok(exit::DONE);
    }
    let title = text::short(&order.objective, 60);
    app.out.note(&match done.status.as_str() {
        "cancelled" => format!("'{title}' is cancelled."),
        _ => format!(
            "'{title}' is being stopped; `terarchitect orders show {}` says when it has.",
            text::short_id(order.id)
        ),
    });
    Ok(exit::DONE)
}
