//! `terarchitect projects`.

use crate::app::App;
use crate::cli::ProjectAction;
use crate::exit;
use crate::output::{Tone, field, toned};
use crate::text;
use terarchitect_client::{Check, NewProject, Project};

pub(crate) async fn execute(app: &App, action: Option<ProjectAction>) -> anyhow::Result<u8> {
    match action.unwrap_or(ProjectAction::List) {
        ProjectAction::List => list(app).await,
        ProjectAction::New { name, repo, path, description, limit } => {
            let execution_mode = path.is_some().then(|| "local".to_owned());
            let project_path = path.map(|path| path.display().to_string());
            let project = NewProject {
                name,
                description,
                github_url: repo,
                project_path,
                execution_mode,
                is_existing_repo: true,
                max_running: limit,
            };
            let project = app.client.create_project(&project).await?;
            if app.out.json {
                app.out.document(&project)?;
            } else {
                app.out.line(&project.id.to_string())?;
            }
            Ok(exit::DONE)
        }
        ProjectAction::Show { project } => show(app, &app.project(project.as_deref()).await?),
        ProjectAction::Check { project } => check(app, &app.project(project.as_deref()).await?).await,
    }
}

async fn list(app: &App) -> anyhow::Result<u8> {
    let projects = app.client.projects().await?;
    if app.out.json {
        app.out.document(&projects)?;
        return Ok(exit::DONE);
    }
    if projects.is_empty() {
        app.out.note("There is no project yet. Make one: terarchitect projects new NAME --repo URL");
        return Ok(exit::DONE);
    }
    let row = |project: &Project| {
        let id = if app.out.terminal { text::short_id(project.id) } else { project.id.to_string() };
        let paused = if project.paused { toned("paused", Tone::Warn) } else { field("") };
        vec![toned(id, Tone::Dim), field(&project.name), field(place(project)), paused]
    };
    app.out.table(&["ID", "Project", "Repository", ""], projects.iter().map(row).collect())?;
    Ok(exit::DONE)
}

fn place(project: &Project) -> &str {
    let path = project.project_path.as_deref().filter(|path| !path.is_empty());
    project.github_url.as_deref().filter(|url| !url.is_empty()).or(path).unwrap_or_default()
}

fn show(app: &App, project: &Project) -> anyhow::Result<u8> {
    if app.out.json {
        app.out.document(project)?;
        return Ok(exit::DONE);
    }
    app.out.line(&text::line(&project.name))?;
    let limit = project.max_running.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
    let facts = [
        ("id", project.id.to_string()),
        ("repository", place(project).to_owned()),
        ("runs in", project.execution_mode.clone().unwrap_or_default()),
        ("limit", limit),
        ("paused", if project.paused { "yes" } else { "no" }.to_owned()),
        ("about", project.description.clone().unwrap_or_default()),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        app.out.line(&format!("  {name:<11} {}", text::line(value)))?;
    }
    Ok(exit::DONE)
}

async fn check(app: &App, project: &Project) -> anyhow::Result<u8> {
    let checks = app.client.check_project(project.id).await?;
    if app.out.json {
        app.out.document(&checks)?;
    } else {
        for check in &checks.checks {
            say(app, check)?;
        }
    }
    let bad = checks.checks.iter().any(|check| check.ok == Some(false));
    Ok(if bad { exit::FAILED } else { exit::DONE })
}

/// A line for a check, and one for what to do.
pub(crate) fn say(app: &App, check: &Check) -> anyhow::Result<()> {
    let (word, tone) = match check.ok {
        Some(true) => ("ok  ", Tone::Good),
        Some(false) => ("FAIL", Tone::Bad),
        None => ("--  ", Tone::Dim),
    };
    let word = app.out.paint(word, tone);
    app.out.line(&format!("{word}  {}: {}", text::line(&check.check), text::line(&check.sentence)))?;
    if let Some(fix) = check.fix.as_deref().filter(|fix| !fix.is_empty()) {
        app.out.line(&format!("      {}", text::line(fix)))?;
    }
    Ok(())
}
