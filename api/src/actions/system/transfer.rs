//! Settings and projects as one document, to move them to another installation. Secrets are only named.

use super::settings::update_settings;
use crate::actions::ActionResult;
use crate::actions::projects::create::create_project;
use crate::actions::projects::update::update_project;
use crate::changes::Database;
use crate::db;
use crate::db::projects::Project;
use crate::domain::actor::Actor;
use crate::domain::forges::settings::ForgeChanges;
use crate::domain::projects::{NewProject, ProjectChanges, ProjectFields, RunningChanges};
use crate::domain::refusal::Refusal;
use crate::domain::system::settings::{is_secret, parse_changes};
use crate::sealing::Sealer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use terarchitect_worker_api::{ExecutionMode, UpdateStrategy};
use utoipa::ToSchema;

/// The most projects of one document.
const MAX_PROJECTS: usize = 10_000;

/// A project in the document: what it is and how its jobs are run, without its tickets.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExportedProject {
    /// What people call it. An import changes the project of this name, or creates it.
    pub name: String,
    /// What it is.
    #[serde(default)]
    pub description: Option<String>,
    /// Its repository.
    #[serde(default)]
    pub github_url: Option<String>,
    /// Where its jobs run.
    #[serde(default)]
    pub execution_mode: ExecutionMode,
    /// For local projects: the checkout on the coordinator's machine.
    #[serde(default)]
    pub project_path: Option<String>,
    /// How a ticket's branch that is continued gets what its base got since.
    #[serde(default)]
    pub update_strategy: UpdateStrategy,
    /// Whether the runner fetches the repository's submodules.
    #[serde(default)]
    pub submodules: bool,
    /// The image for its jobs, instead of the coordinator's.
    #[serde(default)]
    pub agent_image: Option<String>,
    /// How many of its jobs may run at once.
    #[serde(default)]
    pub max_running: Option<i32>,
    /// Its share of the running jobs; 1 if unset.
    #[serde(default)]
    pub weight: Option<i32>,
    /// Whether its jobs are not claimed.
    #[serde(default)]
    pub paused: bool,
    /// How many times a failure of the agent itself is retried.
    #[serde(default)]
    pub retry_agent_failures: i32,
    /// How it works with its forge.
    #[serde(flatten)]
    pub forge: ForgeChanges,
}

/// Settings and projects.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Exported {
    /// The settings that are not secret and have a value.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub settings: BTreeMap<String, Value>,
    /// The secrets that are set, without their values. An import does not change them.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// The projects.
    #[serde(default)]
    pub projects: Vec<ExportedProject>,
}

/// What an import did.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Imported {
    /// How many settings were set.
    pub settings: usize,
    /// How many projects were created.
    pub created_projects: usize,
    /// How many projects were changed.
    pub changed_projects: usize,
    /// Secrets that the document names and that are not set here: set them by hand.
    pub missing_secrets: Vec<String>,
}

/// Everything that an import takes.
///
/// # Errors
/// When the database is not available.
pub async fn export(database: &Database) -> ActionResult<Exported> {
    let mut conn = database.read().await?;
    let mut exported = Exported::default();
    for setting in db::system::settings::list(&mut conn).await? {
        match setting.value {
            Some(value) if !is_secret(&setting.key) => drop(exported.settings.insert(setting.key, value.into())),
            _ => exported.secrets.push(setting.key),
        }
    }
    exported.projects = db::projects::list(&mut conn, None).await?.into_iter().map(ExportedProject::from).collect();
    Ok(exported)
}

/// Sets the settings of a document, and creates or changes its projects. Checked whole before anything is stored; nothing
/// is removed.
///
/// # Errors
/// When a setting or project is not valid, or a name of a project is not unique.
pub async fn import(database: &Database, actor: &Actor, sealer: &Sealer, document: Exported) -> ActionResult<Imported> {
    if document.settings.is_empty() && document.secrets.is_empty() && document.projects.is_empty() {
        let sentence = "This document has neither settings nor projects; send one that was exported.";
        return Err(Refusal::invalid(sentence).into());
    }
    let settings: BTreeMap<_, _> =
        document.settings.into_iter().filter(|(name, value)| !is_secret(name) && !value.is_null()).collect();
    parse_changes(settings.clone())?;
    check_projects(&document.projects)?;
    let existing = db::projects::list(&mut *database.read().await?, None).await?;
    let mut imported = Imported { settings: settings.len(), ..Imported::default() };
    if let Some(name) = document
        .projects
        .iter()
        .map(|project| project.name.trim())
        .find(|name| existing.iter().filter(|known| known.name == *name).count() > 1)
    {
        let sentence = format!("Two projects here are called '{name}'; rename one of them, then import again.");
        return Err(Refusal::invalid(sentence).into());
    }
    let stored = update_settings(database, actor, sealer, settings).await?;
    for project in document.projects {
        match existing.iter().find(|known| known.name == project.name.trim()) {
            Some(known) => {
                update_project(database, actor, known.id, project.changes()).await?;
                imported.changed_projects += 1;
            }
            None => {
                create_project(database, actor, project.into_new()).await?;
                imported.created_projects += 1;
            }
        }
    }
    let set: HashSet<_> = stored.iter().map(|setting| setting.key.as_str()).collect();
    imported.missing_secrets = document.secrets.into_iter().filter(|name| !set.contains(name.as_str())).collect();
    Ok(imported)
}

fn check_projects(projects: &[ExportedProject]) -> Result<(), Refusal> {
    if projects.len() > MAX_PROJECTS {
        return Err(Refusal::invalid(format!("A document has at most {MAX_PROJECTS} projects.")));
    }
    let mut names = HashSet::new();
    for project in projects {
        project.clone().into_new().into_fields()?;
        if !names.insert(project.name.trim()) {
            let shown: String = project.name.chars().take(80).collect();
            return Err(Refusal::invalid(format!("The document has two projects called '{shown}'.")));
        }
    }
    Ok(())
}

impl ExportedProject {
    fn running(&self) -> RunningChanges {
        RunningChanges {
            agent_image: Some(self.agent_image.clone()),
            max_running: Some(self.max_running),
            weight: Some(self.weight.unwrap_or(1)),
            paused: Some(self.paused),
            retry_agent_failures: Some(self.retry_agent_failures),
        }
    }

    fn into_new(self) -> NewProject {
        let (running, forge) = (self.running(), self.forge.clone());
        NewProject {
            name: Some(self.name),
            description: self.description,
            github_url: self.github_url,
            execution_mode: Some(self.execution_mode),
            project_path: self.project_path,
            update_strategy: Some(self.update_strategy),
            submodules: Some(self.submodules),
            is_existing_repo: true,
            running,
            forge,
        }
    }

    fn changes(self) -> ProjectChanges {
        let (running, forge) = (self.running(), self.forge.clone());
        ProjectChanges {
            name: Some(self.name),
            description: Some(self.description),
            github_url: Some(self.github_url),
            execution_mode: Some(self.execution_mode),
            project_path: Some(self.project_path),
            update_strategy: Some(self.update_strategy),
            submodules: Some(self.submodules),
            running,
            forge,
        }
    }
}

impl From<Project> for ExportedProject {
    fn from(project: Project) -> Self {
        let fields = ProjectFields::from(project);
        Self {
            name: fields.name,
            description: fields.description,
            github_url: fields.github_url,
            execution_mode: fields.execution_mode,
            project_path: fields.project_path,
            update_strategy: fields.update_strategy,
            submodules: fields.submodules,
            agent_image: fields.running.agent_image,
            max_running: fields.running.max_running,
            weight: Some(fields.running.weight),
            paused: fields.running.paused,
            retry_agent_failures: fields.running.retry_agent_failures,
            forge: fields.forge.into(),
        }
    }
}
