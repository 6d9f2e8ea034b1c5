//! Checks whether tickets of a project can become pull requests: everything between here and there that can be asked without
//! changing anything.

use crate::actions::ActionResult;
use crate::actions::system::probe::Effective;
use crate::changes::Database;
use crate::db;
use crate::db::projects::Project;
use crate::domain::projects::repository;
use crate::domain::refusal::Refusal;
use crate::domain::tickets::state::{Host, Surroundings};
use crate::probing::{ForgeProbe, Probed, RepositoryFacts};
use crate::sealing::Sealer;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use terarchitect_worker_api::{ExecutionMode, ProjectId};
use url::Url;
use utoipa::ToSchema;

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProjectCheck {
    /// What was checked: `repository`, `token`, `push`, `pull_request`, `model` or `coordinator`; of webhooks also `forge`,
    /// `permission`, `secret`, `webhook`, `events`, `delivery` or `sweep`.
    pub check: &'static str,
    /// Whether it is as it should be; none where that can't be known.
    pub ok: Option<bool>,
    /// What was found.
    pub sentence: String,
    /// What to do about it.
    pub fix: Option<String>,
}

/// A result without anything to do about it.
pub(in crate::actions) fn found(
    check: &'static str,
    ok: impl Into<Option<bool>>,
    sentence: impl Into<String>,
) -> ProjectCheck {
    ProjectCheck { check, ok: ok.into(), sentence: sentence.into(), fix: None }
}

impl ProjectCheck {
    /// With what to do about it.
    pub(in crate::actions) fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}

/// Checks a project.
///
/// # Errors
/// When the project does not exist, or a stored secret can't be opened.
pub async fn check_project(
    database: &Database,
    sealer: &Sealer,
    forge_api: Url,
    lease: Duration,
    id: ProjectId,
) -> ActionResult<Vec<ProjectCheck>> {
    let (project, around) = {
        let mut conn = database.read().await?;
        let project = db::projects::find(&mut conn, id).await?.ok_or_else(|| Refusal::not_found("project", id))?;
        (project, db::live::surroundings::surroundings(&mut conn, lease).await?)
    };
    let settings = Effective::read(database, sealer, BTreeMap::new()).await?;
    let model = settings.agent_model()?;
    let (mut checks, model) =
        futures::future::join(repository_checks(&project, settings.forge(forge_api)), model.run()).await;
    checks.push(from_probe("model", model, "Settings have a test that shows more."));
    checks.push(coordinator(&around, &project));
    Ok(checks)
}

fn from_probe(check: &'static str, probed: Probed, fix: &str) -> ProjectCheck {
    let said = probed.detail.filter(|_| !probed.ok).map(|detail| format!(" It said: {detail}")).unwrap_or_default();
    let checked = found(check, probed.ok, format!("{}{said}", probed.sentence));
    if probed.ok { checked } else { checked.fix(fix) }
}

/// The host whose repositories the forge's API is about.
fn home(api: &Url) -> String {
    let host = api.host_str().unwrap_or_default();
    match host.strip_prefix("api.") {
        Some(rest) if rest == "github.com" || rest.ends_with(".ghe.com") => rest.to_owned(),
        _ => host.to_owned(),
    }
}

async fn repository_checks(project: &Project, forge: ForgeProbe) -> Vec<ProjectCheck> {
    if project.execution_mode == ExecutionMode::Local {
        return vec![local(project)];
    }
    let Some(address) = &project.github_url else {
        return vec![found("repository", false, "The project has no repository.").fix("Set the repository's address.")];
    };
    let Some((host, owner, name)) = repository::parts(address) else {
        let sentence = "The repository's address has no owner and name, so it could not be checked.";
        return vec![found("repository", None, sentence).fix("Use an address such as https://github.com/owner/repo.")];
    };
    let home = home(&forge.api);
    if host != home {
        // The token is for its own host alone.
        let sentence = format!("Not checked: the repository is on {host}, and the token is for {home}.");
        return vec![
            found("repository", None, sentence)
                .fix("Set GITHUB_API_URL of the API and the coordinators, if that host is a GitHub."),
        ];
    }
    let (who, facts) = futures::future::join(forge.who(), forge.repository(&owner, &name)).await;
    let token_works = who.ok;
    let has_token = forge.token.is_some();
    let mut checks = vec![match &facts {
        Ok(_) => found("repository", true, format!("{owner}/{name} is there.")),
        Err(probed) => {
            from_probe("repository", probed.clone(), "Check the address, and which repositories the token may see.")
        }
    }];
    checks.push(if has_token {
        from_probe("token", who, "Make a new token at the forge, and set github_agent_token.")
    } else {
        let sentence = "No token is stored. It works only if every coordinator has one in GITHUB_TOKEN.";
        found("token", None, sentence).fix("Set github_agent_token.")
    });
    if let Ok(facts) = &facts {
        checks.extend(rights(facts, token_works));
    }
    checks
}

fn local(project: &Project) -> ProjectCheck {
    match &project.project_path {
        None => found("repository", false, "The project runs locally and has no path.").fix("Set its path."),
        Some(path) => {
            let sentence = format!(
                "The project runs in {path} on the coordinator's machine, which only the coordinator can check."
            );
            found("repository", None, sentence)
        }
    }
}

fn rights(facts: &RepositoryFacts, token_works: bool) -> [ProjectCheck; 2] {
    if facts.is_archived {
        let fix = "Unarchive it at the forge.";
        return [
            found("push", false, "The repository is archived: nothing can be pushed.").fix(fix),
            found("pull_request", false, "The repository is archived: no pull request can be opened.").fix(fix),
        ];
    }
    let push = match facts.may_push.filter(|_| token_works) {
        Some(true) => found("push", true, "The token's owner may push."),
        Some(false) => found("push", false, "The token may not push to the repository.")
            .fix("Give the token's owner write access, and the token the permission to write contents."),
        None => found("push", None, "Whether the token may push is not known."),
    };
    let pulls = match facts.may_open_pulls.filter(|_| token_works) {
        Some(true) => found("pull_request", true, "The token's scopes allow pull requests."),
        Some(false) => found("pull_request", false, "The token's scopes do not allow pull requests here.")
            .fix("Give the token the scope repo, or public_repo for public repositories."),
        None => found(
            "pull_request",
            None,
            "The forge does not say whether the token may open pull requests; the first ticket shows it.",
        ),
    };
    [push, pulls]
}

fn coordinator(around: &Surroundings, project: &Project) -> ProjectCheck {
    let takers: Vec<&Host> = around.hosts.iter().filter(|host| host.takes(project.id)).collect();
    let fit = takers.iter().filter(|host| !host.drains && host.problem.is_none()).count();
    if around.stopped_at.is_some() {
        return found("coordinator", false, "Everything is stopped.").fix("Resume it on the fleet page.");
    }
    if project.paused {
        return found("coordinator", false, "The project is paused.").fix("Resume the project.");
    }
    match (around.hosts.len(), takers.len(), fit) {
        (0, _, _) => found("coordinator", false, "No coordinator has sent a heartbeat lately.")
            .fix("Start a coordinator on a host with Docker."),
        (_, 0, _) => found("coordinator", false, "No coordinator claims jobs of this project.")
            .fix("Add the project to PROJECT_IDS of a coordinator, or remove that setting."),
        (_, _, 0) => found("coordinator", false, "Every coordinator of this project drains or has a problem.")
            .fix("Look at the findings on the fleet page."),
        (_, _, 1) => found("coordinator", true, "One coordinator can run its jobs."),
        (_, _, fit) => found("coordinator", true, format!("{fit} coordinators can run its jobs.")),
    }
}
