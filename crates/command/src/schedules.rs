//! `terarchitect schedules`.

use crate::app::App;
use crate::cli::ScheduleAction;
use crate::exit;
use crate::output::{Field, Tone, field, tone_of, toned};
use crate::text;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use terarchitect_client::{Schedule, ScheduleRun};

/// How many runs are shown.
const RUNS: u32 = 10;

pub(crate) async fn execute(app: &App, action: Option<ScheduleAction>) -> anyhow::Result<u8> {
    match action.unwrap_or(ScheduleAction::List) {
        ScheduleAction::List => list(app).await,
        ScheduleAction::Show { schedule } => show(app, &app.schedule(&schedule).await?).await,
        ScheduleAction::Run { schedule } => run(app, &app.schedule(&schedule).await?).await,
        ScheduleAction::Pause { schedule } => enable(app, &app.schedule(&schedule).await?, false).await,
        ScheduleAction::Resume { schedule } => enable(app, &app.schedule(&schedule).await?, true).await,
    }
}

async fn list(app: &App) -> anyhow::Result<u8> {
    let mut all = app.client.schedules().await?;
    if app.common.project.is_some() {
        let project = app.project(None).await?.id;
        all.retain(|schedule| schedule.repo_id == Some(project));
    }
    if app.out.json {
        app.out.document(&all)?;
        return Ok(exit::DONE);
    }
    if all.is_empty() {
        app.out.note("There is no schedule. Its page makes one: Schedules, New schedule.");
        return Ok(exit::DONE);
    }
    let head = ["ID", "Name", "When", "Next", "Last", ""];
    app.out.table(&head, all.iter().map(|schedule| row(app, schedule)).collect())?;
    Ok(exit::DONE)
}

fn row(app: &App, schedule: &Schedule) -> Vec<Field> {
    let id = if app.out.terminal { text::short_id(schedule.id) } else { schedule.id.to_string() };
    let last = match schedule.last_run_at {
        Some(at) if !app.out.terminal => exact(at),
        at => text::ago(at),
    };
    let next = match schedule.next_run_at {
        Some(at) if !app.out.terminal => exact(at),
        at => at.map(ahead).unwrap_or_default(),
    };
    vec![
        toned(id, Tone::Dim),
        field(&schedule.name),
        field(when(schedule)),
        field(next),
        field(last),
        if schedule.enabled { field("") } else { toned("paused", Tone::Warn) },
    ]
}

fn when(schedule: &Schedule) -> String {
    format!("{} {}", schedule.cron_expression, schedule.timezone)
}

fn exact(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn ahead(at: DateTime<Utc>) -> String {
    format!("in {}", text::span((at - Utc::now()).num_seconds()))
}

async fn show(app: &App, schedule: &Schedule) -> anyhow::Result<u8> {
    let runs = app.client.schedule_runs(schedule.id, RUNS).await?;
    if app.out.json {
        app.out.document(&json!({"schedule": schedule, "runs": runs}))?;
        return Ok(exit::DONE);
    }
    app.out.line(&text::line(&schedule.name))?;
    let paused = if schedule.enabled { String::new() } else { "it is not fired by itself".to_owned() };
    let objective = schedule.work_order_template.get("objective").and_then(serde_json::Value::as_str);
    let facts = [
        ("schedule", schedule.id.to_string()),
        ("when", when(schedule)),
        ("paused", paused),
        ("description", schedule.description.clone().unwrap_or_default()),
        ("objective", objective.unwrap_or_default().to_owned()),
        ("missed times", schedule.missed.replace('_', " ")),
        ("overlap", schedule.overlap.clone()),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        app.out.line(&format!("  {name:<13} {}", text::line(value)))?;
    }
    if !schedule.next_runs.is_empty() {
        app.out.line("\n  Next")?;
    }
    for at in &schedule.next_runs {
        app.out.line(&format!("    {}  {}", exact(*at), ahead(*at)))?;
    }
    if !runs.is_empty() {
        app.out.line("\n  Runs")?;
    }
    for run in &runs {
        app.out.line(&format!("    {}", described(app, run)))?;
    }
    Ok(exit::DONE)
}

fn described(app: &App, run: &ScheduleRun) -> String {
    let status = app.out.paint(&text::line(&run.status), tone_of(&run.status));
    let began = run.started_at.map(exact).unwrap_or_default();
    let by_hand = if run.due_at.is_none() { ", by hand" } else { "" };
    let said = run.pr_url.as_deref().or(run.error_message.as_deref());
    let order = run.work_order_id.map(|id| id.to_string());
    let rest: Vec<String> = [order.as_deref(), said].into_iter().flatten().map(text::line).collect();
    format!("{began}  {status}{by_hand}  {}", rest.join("  ")).trim_end().to_owned()
}

async fn run(app: &App, schedule: &Schedule) -> anyhow::Result<u8> {
    let started = app.client.run_schedule(schedule.id).await?;
    if app.out.json {
        app.out.document(&started)?;
    } else {
        app.out.line(&started.work_order_id.to_string())?;
    }
    match &started.launch_error {
        Some(why) => {
            app.out.note(&format!("Its work order is made, but not launched: {why}"));
            Ok(exit::FAILED)
        }
        None => Ok(exit::DONE),
    }
}

async fn enable(app: &App, schedule: &Schedule, enabled: bool) -> anyhow::Result<u8> {
    let now = app.client.enable_schedule(schedule.id, enabled).await?;
    if app.out.json {
        app.out.document(&now)?;
        return Ok(exit::DONE);
    }
    let name = text::line(&now.name);
    app.out.note(&match now.next_run_at.filter(|_| now.enabled) {
        Some(next) => format!("'{name}' is due next at {}.", exact(next)),
        None => format!("'{name}' rests; `terarchitect schedules resume` lets it go on."),
    });
    Ok(exit::DONE)
}
