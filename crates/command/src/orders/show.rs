//! `terarchitect orders show`.

use super::is_over;
use crate::app::App;
use crate::exit;
use crate::output::{Tone, tone_of};
use crate::text;
use terarchitect_client::WorkOrder;

/// How many entries of the log are shown.
const LOGS: usize = 10;

pub(super) fn show(app: &App, order: &WorkOrder) -> anyhow::Result<u8> {
    if app.out.json {
        app.out.document(order)?;
        return Ok(exit::DONE);
    }
    app.out.line(&text::line(&order.objective))?;
    app.out.line(&format!("  status        {}", app.out.paint(&text::line(&order.status), tone_of(&order.status))))?;
    let text_of = |said: &Option<String>| said.clone().unwrap_or_default();
    let facts = [
        ("order", order.id.to_string()),
        ("agent", text_of(&order.agent_name)),
        ("source", order.source.clone()),
        ("branch", text_of(&order.branch_name)),
        ("created", text::ago(order.created_at)),
        ("ended", text::ago(order.finished_at)),
        ("pull request", text_of(&order.pr_url)),
        ("not launched", text_of(&order.launch_error)),
        ("failed", text_of(&order.error_message)),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        app.out.line(&format!("  {name:<13} {}", text::line(value)))?;
    }
    if !order.lines.is_empty() {
        app.out.line("")?;
    }
    for (number, line) in order.lines.iter().enumerate() {
        let mark = if is_over(&line.status) { app.out.paint("✓", Tone::Good) } else { "·".to_owned() };
        app.out.line(&format!("  {mark} {}. {}", number + 1, text::line(&line.title)))?;
        if !line.definition_of_done.trim().is_empty() {
            app.out.line(&format!("       done when: {}", text::line(&line.definition_of_done)))?;
        }
    }
    if let Some(summary) = order.summary.as_deref().filter(|summary| !summary.trim().is_empty()) {
        app.out.line("")?;
        for line in text::block(summary.trim()).lines() {
            app.out.line(&format!("  {line}"))?;
        }
    }
    let newest = &order.logs[order.logs.len().saturating_sub(LOGS)..];
    if !newest.is_empty() {
        app.out.line("")?;
    }
    for entry in newest {
        let tone = if entry.success { Tone::Dim } else { Tone::Bad };
        let kind = app.out.paint(&text::line(&entry.event_type), tone);
        app.out.line(&format!("  {kind}: {}", text::short(&entry.summary, 160)))?;
    }
    if order.launch_error.is_some() {
        app.out.note("It was not launched. Once the reason is gone, its page launches it: Work orders, Launch.");
    }
    Ok(exit::DONE)
}
