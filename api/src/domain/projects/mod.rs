//! Projects: their fields, and how their jobs are run.

pub mod board;
pub mod budgets;
pub mod memory;
pub mod notes;
pub mod proof;
pub mod repository;
pub mod secrets;

use crate::domain::forges::settings::{ForgeChanges, ForgeFields};
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::domain::tickets::TicketFields;
use crate::domain::{present, text};
use serde::Deserialize;
use terarchitect_worker_api::{ExecutionMode, UpdateStrategy};
use utoipa::ToSchema;
use uuid::Uuid;

/// The built-in project for work that names no repository. It is created when it is first needed.
pub const WITHOUT_REPOSITORY: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001);
/// What people see of it.
pub const WITHOUT_REPOSITORY_NAME: &str = "Without a repository";
/// What it is.
pub const WITHOUT_REPOSITORY_DESCRIPTION: &str = "Work that names no repository. It is built in; give work a project of its \
own to run it there.";

/// The title of the ticket that a new project starts with; a runner gives it a short flow of its own.
pub const SETUP_TICKET_TITLE: &str = "Project setup";

const SETUP_TICKET_DESCRIPTION: &str = "Prepare the repository for work: a README that says what the project is and \
how to build and test it, a sensible folder structure, and the configuration that the tools need.";

/// The ticket that a new project starts with.
#[must_use]
pub fn setup_ticket() -> TicketFields {
    TicketFields {
        description: Some(SETUP_TICKET_DESCRIPTION.to_owned()),
        ..TicketFields::new(SETUP_TICKET_TITLE, board::BACKLOG)
    }
}

/// What a project is made of, or changed to.
#[derive(Clone, Debug)]
pub struct ProjectFields {
    /// What people call it.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Its repository.
    pub github_url: Option<String>,
    /// Where its jobs run.
    pub execution_mode: ExecutionMode,
    /// For local projects: the checkout on the coordinator's machine.
    pub project_path: Option<String>,
    /// How a ticket's branch that is continued gets what its base got since.
    pub update_strategy: UpdateStrategy,
    /// Whether the runner fetches the repository's submodules.
    pub submodules: bool,
    /// How its jobs are run.
    pub running: RunningFields,
    /// How it works with its forge.
    pub forge: ForgeFields,
}

/// How a project's jobs are run.
#[derive(Clone, Debug)]
pub struct RunningFields {
    /// The image for its jobs, instead of the coordinator's.
    pub agent_image: Option<String>,
    /// How many may run at once.
    pub max_running: Option<i32>,
    /// Its share of the running jobs, relative to other projects.
    pub weight: i32,
    /// Whether its jobs are not claimed.
    pub paused: bool,
    /// How many times a failure of the agent itself is retried.
    pub retry_agent_failures: i32,
}

impl Default for RunningFields {
    fn default() -> Self {
        Self { agent_image: None, max_running: None, weight: 1, paused: false, retry_agent_failures: 0 }
    }
}

/// A new project.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewProject {
    /// What people call it; required.
    pub name: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// Its repository.
    pub github_url: Option<String>,
    /// Where its jobs run; `docker` if unset.
    pub execution_mode: Option<ExecutionMode>,
    /// For local projects: the checkout on the coordinator's machine.
    pub project_path: Option<String>,
    /// How a ticket's branch that is continued gets what its base got since; `merge` if unset.
    pub update_strategy: Option<UpdateStrategy>,
    /// Whether the runner fetches the repository's submodules; `false` if unset.
    pub submodules: Option<bool>,
    /// An existing repository gets no "Project setup" ticket.
    #[serde(default)]
    pub is_existing_repo: bool,
    /// How its jobs are run.
    #[serde(flatten)]
    pub running: RunningChanges,
    /// How it works with its forge.
    #[serde(flatten)]
    pub forge: ForgeChanges,
}

/// Changes to a project; absent fields stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ProjectChanges {
    /// What people call it.
    pub name: Option<String>,
    /// What it is.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<String>>,
    /// Its repository.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub github_url: Option<Option<String>>,
    /// Where its jobs run.
    pub execution_mode: Option<ExecutionMode>,
    /// For local projects: the checkout on the coordinator's machine.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub project_path: Option<Option<String>>,
    /// How a ticket's branch that is continued gets what its base got since.
    pub update_strategy: Option<UpdateStrategy>,
    /// Whether the runner fetches the repository's submodules.
    pub submodules: Option<bool>,
    /// How its jobs are run.
    #[serde(flatten)]
    pub running: RunningChanges,
    /// How it works with its forge.
    #[serde(flatten)]
    pub forge: ForgeChanges,
}

/// How a project's jobs are run; absent fields stay as they are.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct RunningChanges {
    /// The image for its jobs, instead of the coordinator's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub agent_image: Option<Option<String>>,
    /// How many of its jobs may run at once; null means any number.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i32>)]
    pub max_running: Option<Option<i32>>,
    /// Its share of the running jobs, relative to other projects, from 1 to 1000.
    pub weight: Option<i32>,
    /// Whether its jobs are not claimed.
    pub paused: Option<bool>,
    /// How many times a failure of the agent itself is retried, up to 100.
    pub retry_agent_failures: Option<i32>,
}

impl RunningChanges {
    /// The fields after these changes.
    ///
    /// # Errors
    /// When a field is not valid.
    pub fn over(self, now: RunningFields) -> Result<RunningFields, Refusal> {
        let fields = RunningFields {
            agent_image: match self.agent_image {
                Some(image) => {
                    image.filter(|i| !i.trim().is_empty()).map(|i| text::image("agent_image", &i)).transpose()?
                }
                None => now.agent_image,
            },
            max_running: self.max_running.unwrap_or(now.max_running),
            weight: self.weight.unwrap_or(now.weight),
            paused: self.paused.unwrap_or(now.paused),
            retry_agent_failures: self.retry_agent_failures.unwrap_or(now.retry_agent_failures),
        };
        if fields.max_running.is_some_and(|limit| limit < 1) {
            return Err(Refusal::invalid(
                "'max_running' must be at least 1; to stop all claims, set 'paused' to true.",
            ));
        }
        if !(1..=1000).contains(&fields.weight) || !(0..=100).contains(&fields.retry_agent_failures) {
            return Err(Refusal::invalid("'weight' must be from 1 to 1000, and 'retry_agent_failures' from 0 to 100."));
        }
        Ok(fields)
    }
}

impl NewProject {
    /// A project of this name with a repository that exists.
    #[must_use]
    pub fn existing(name: &str, github_url: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            description: None,
            github_url: Some(github_url.to_owned()),
            execution_mode: None,
            project_path: None,
            update_strategy: None,
            submodules: None,
            is_existing_repo: true,
            running: RunningChanges::default(),
            forge: ForgeChanges::default(),
        }
    }

    /// The fields of the new project.
    ///
    /// # Errors
    /// When a field is not valid.
    pub fn into_fields(self) -> Result<ProjectFields, Refusal> {
        Ok(ProjectFields {
            name: text::title("name", self.name.as_deref().unwrap_or_default())?,
            description: self.description.map(|d| text::long_text("description", d)).transpose()?,
            github_url: supported_repository(self.github_url.as_deref().unwrap_or_default())?,
            execution_mode: self.execution_mode.unwrap_or_default(),
            project_path: text::project_path(self.project_path.as_deref().unwrap_or_default())?,
            update_strategy: self.update_strategy.unwrap_or_default(),
            submodules: self.submodules.unwrap_or_default(),
            running: self.running.over(RunningFields::default())?,
            forge: self.forge.over(ForgeFields::default())?,
        })
    }
}

impl ProjectChanges {
    /// Changes to the name and the repository alone.
    #[must_use]
    pub fn to(name: Option<String>, github_url: Option<String>) -> Self {
        Self {
            name,
            description: None,
            github_url: github_url.map(Some),
            execution_mode: None,
            project_path: None,
            update_strategy: None,
            submodules: None,
            running: RunningChanges::default(),
            forge: ForgeChanges::default(),
        }
    }

    /// The fields after these changes.
    ///
    /// # Errors
    /// When a field is not valid.
    pub fn over(self, now: ProjectFields) -> Result<ProjectFields, Refusal> {
        Ok(ProjectFields {
            name: self.name.map_or(Ok(now.name), |name| text::title("name", &name))?,
            description: match self.description {
                Some(description) => description.map(|d| text::long_text("description", d)).transpose()?,
                None => now.description,
            },
            github_url: match self.github_url {
                // One that is there already may be sent back, whatever it is.
                Some(url) if url == now.github_url => now.github_url,
                Some(url) => supported_repository(&url.unwrap_or_default())?,
                None => now.github_url,
            },
            execution_mode: self.execution_mode.unwrap_or(now.execution_mode),
            project_path: match self.project_path {
                Some(path) => text::project_path(&path.unwrap_or_default())?,
                None => now.project_path,
            },
            update_strategy: self.update_strategy.unwrap_or(now.update_strategy),
            submodules: self.submodules.unwrap_or(now.submodules),
            running: self.running.over(now.running)?,
            forge: self.forge.over(now.forge)?,
        })
    }
}

/// A repository's address, at a forge that is supported; an empty text is none.
fn supported_repository(text: &str) -> Result<Option<String>, Refusal> {
    let address = text::repository_url("github_url", text)?;
    if let Some(address) = &address {
        repository::require_supported(address)?;
    }
    Ok(address)
}

/// Checks that there is something to work on: a repository, or the path of a local project.
///
/// # Errors
/// When there is not; the sentence says what to set.
pub fn require_something_to_work_on(
    mode: ExecutionMode,
    github_url: Option<&str>,
    project_path: Option<&str>,
) -> Result<(), Refusal> {
    let (missing, sentence) = match mode {
        ExecutionMode::Local => (
            project_path.is_none(),
            "This project runs locally but has no 'project_path'; set it, then move the ticket again.",
        ),
        ExecutionMode::Docker => (
            github_url.is_none(),
            "This project has no repository address ('github_url'); set it, then move the ticket again.",
        ),
    };
    if missing { Err(Refusal::invalid(sentence)) } else { Ok(()) }
}

/// The confirmation of a deletion.
#[derive(Debug, Deserialize, ToSchema)]
pub struct DeleteProject {
    /// The project's name, exactly.
    pub confirm_name: Option<String>,
}

impl DeleteProject {
    /// Checks that the request repeats the project's name.
    ///
    /// # Errors
    /// When it does not.
    pub fn confirms(&self, name: &str) -> Result<(), Refusal> {
        if self.confirm_name.as_deref() == Some(name) {
            return Ok(());
        }
        let sentence = "To delete the project, send its exact name as 'confirm_name'; nothing was deleted.";
        Err(Refusal::new(ErrorCode::NameNotConfirmed, sentence))
    }
}
