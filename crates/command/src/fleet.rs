//! `terarchitect fleet`.

use crate::app::App;
use crate::cli;
use crate::exit::{self, usage};
use crate::output::{Field, Tone, field, toned};
use crate::text;
use serde_json::json;
use std::io::{BufRead, IsTerminal};
use terarchitect_client::{Coordinator, CoordinatorChange, Fleet, More, QueuedProject};

/// From this silence on, a coordinator of an older API counts as lost, in seconds: the default lease.
const LOST_SEC: f64 = 90.0;

pub(crate) async fn execute(app: &App, action: Option<cli::Fleet>) -> anyhow::Result<u8> {
    match action.unwrap_or(cli::Fleet::List) {
        cli::Fleet::List => list(app).await,
        cli::Fleet::Drain { coordinator } => direct(app, &coordinator, "drain").await,
        cli::Fleet::Resume { coordinator: Some(coordinator) } => direct(app, &coordinator, "run").await,
        cli::Fleet::Resume { coordinator: None } => {
            let said = app.client.resume_everything().await?;
            done(app, &json!(said), "Coordinators claim again.")
        }
        cli::Fleet::Limit { coordinator, limit } => {
            let one = app.coordinator(&coordinator).await?;
            let change = CoordinatorChange { directive: None, limit: Some(limit.0) };
            let said = app.client.change_coordinator(&one.worker_id, &change).await?;
            let sentence = match limit.0 {
                Some(limit) => format!("{} runs at most {limit} at once.", name(&one)),
                None => format!("{} uses all its slots.", name(&one)),
            };
            done(app, &json!(said), &sentence)
        }
        cli::Fleet::StopEverything { yes } => stop_everything(app, yes).await,
    }
}

fn done(app: &App, value: &serde_json::Value, sentence: &str) -> anyhow::Result<u8> {
    if app.out.json {
        app.out.document(value)?;
    } else {
        app.out.note(sentence);
    }
    Ok(exit::DONE)
}

async fn direct(app: &App, coordinator: &str, directive: &str) -> anyhow::Result<u8> {
    let one = app.coordinator(coordinator).await?;
    let change = CoordinatorChange { directive: Some(directive.to_owned()), limit: None };
    let said = app.client.change_coordinator(&one.worker_id, &change).await?;
    let sentence = match directive {
        "drain" => format!("{} finishes what it runs, and claims nothing more.", name(&one)),
        _ => format!("{} claims again.", name(&one)),
    };
    done(app, &json!(said), &sentence)
}

async fn stop_everything(app: &App, yes: bool) -> anyhow::Result<u8> {
    if !yes {
        if !std::io::stdin().is_terminal() {
            return Err(usage("this stops all agents of all projects; repeat it with --yes"));
        }
        app.out.note("This stops all agents of all projects. Type yes to go on:");
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        if answer.trim() != "yes" {
            return Err(exit::failed("nothing was stopped"));
        }
    }
    let stopped = app.client.stop_everything().await?;
    let sentence = format!(
        "Everything is stopped; {} were asked to end. `terarchitect fleet resume` lets it go on.",
        stopped.cancelled
    );
    done(app, &json!(stopped), &sentence)
}

/// The fleet; from an older API what it knows of it.
pub(crate) async fn read(app: &App) -> anyhow::Result<Fleet> {
    match app.client.fleet().await {
        Err(error) if error.is_not_supported() => {
            let coordinators = app.client.coordinators().await?;
            let more = More::new();
            Ok(Fleet { coordinators, queue: Vec::new(), stopped: false, stopped_at: None, stopped_by: None, more })
        }
        fleet => Ok(fleet?),
    }
}

async fn list(app: &App) -> anyhow::Result<u8> {
    let fleet = read(app).await?;
    if app.out.json {
        app.out.document(&fleet)?;
        return Ok(exit::DONE);
    }
    if fleet.stopped {
        let who = fleet.stopped_by.as_deref().unwrap_or("an admin");
        app.out.note(&format!(
            "Everything is stopped, by {}. `terarchitect fleet resume` lets it go on.",
            text::line(who)
        ));
    }
    if fleet.coordinators.is_empty() {
        app.out.note("No coordinator has been seen. Start one: terarchitect-coordinator, on a machine with Docker.");
    } else {
        let head = ["Coordinator", "ID", "State", "Slots", "Seen", "Disk", "Version", "To do"];
        app.out.table(&head, fleet.coordinators.iter().map(|one| row(app, one)).collect())?;
    }
    let queue: Vec<&QueuedProject> = fleet.queue.iter().filter(|one| one.due > 0 || one.paused).collect();
    if !queue.is_empty() {
        app.out.note("");
        for one in queue {
            let paused = if one.paused { ", paused" } else { "" };
            let name = text::line(&one.project_name);
            app.out.note(&format!("{name}: {} run, {} wait{paused}", one.running, one.due));
        }
    }
    Ok(exit::DONE)
}

pub(crate) fn name(one: &Coordinator) -> String {
    text::line(one.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&one.worker_id))
}

/// Whether it has sent no heartbeat for too long.
pub(crate) fn is_lost(one: &Coordinator) -> bool {
    one.lost.unwrap_or_else(|| one.last_heartbeat_sec.is_some_and(|seconds| seconds > LOST_SEC))
}

fn row(app: &App, one: &Coordinator) -> Vec<Field> {
    let (word, tone) = match one.directive.as_str() {
        _ if is_lost(one) => ("lost", Tone::Bad),
        "drain" => ("draining", Tone::Warn),
        _ => ("ready", Tone::Good),
    };
    let slots = one.slots.map_or_else(|| "?".to_owned(), |slots| slots.min(one.limit.unwrap_or(slots)).to_string());
    let seen = one.seen_ms_ago.map(|ms| ms / 1000).or_else(|| one.last_heartbeat_sec.map(|seconds| seconds as i64));
    let disk = one.disk_free_bytes.map(|free| format!("{} free", text::gib(free))).unwrap_or_default();
    let wrong: Vec<&str> =
        one.findings.iter().filter(|finding| !finding.ok).map(|finding| finding.sentence.as_str()).collect();
    let id = if app.out.terminal { one.worker_id.chars().take(12).collect() } else { one.worker_id.clone() };
    vec![
        field(name(one)),
        toned(id, Tone::Dim),
        toned(word, tone),
        field(format!("{}/{slots}", one.held)),
        field(seen.map(|seconds| format!("{} ago", text::span(seconds))).unwrap_or_default()),
        field(disk),
        field(one.version.as_deref().unwrap_or_default()),
        toned(wrong.join("; "), Tone::Bad),
    ]
}
