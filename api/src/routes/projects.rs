//! Projects.

use super::{ProjectPath, present};
use crate::db;
use crate::db::projects::{Project, ProjectFields, RunningFields};
use crate::db::tickets::TicketFields;
use crate::domain::{board, text};
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::{Json, Path};
use crate::state::App;
use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use sqlx::PgConnection;
use terarchitect_worker_api::{ErrorBody, ExecutionMode, Message};
use utoipa::ToSchema;

/// The title of the ticket that a new project starts with; a runner gives it a short flow of its own.
pub const SETUP_TICKET_TITLE: &str = "Project setup";

const SETUP_TICKET_DESCRIPTION: &str = "Prepare the repository for work: a README that says what the project is and \
how to build and test it, a sensible folder structure, and the configuration that the tools need.";

/// A new project.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewProject {
    /// What people call it; required.
    name: Option<String>,
    /// What it is.
    description: Option<String>,
    /// Its repository.
    github_url: Option<String>,
    /// Where its jobs run; `docker` if unset.
    execution_mode: Option<ExecutionMode>,
    /// For local projects: the checkout on the coordinator's machine.
    project_path: Option<String>,
    /// An existing repository gets no "Project setup" ticket.
    #[serde(default)]
    is_existing_repo: bool,
    #[serde(flatten)]
    running: RunningChanges,
}

/// Changes of a project; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ProjectChanges {
    /// What people call it.
    name: Option<String>,
    /// What it is.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// Its repository.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    github_url: Option<Option<String>>,
    /// Where its jobs run.
    execution_mode: Option<ExecutionMode>,
    /// For local projects: the checkout on the coordinator's machine.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    project_path: Option<Option<String>>,
    #[serde(flatten)]
    running: RunningChanges,
}

/// How a project's jobs are run; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct RunningChanges {
    /// An image that its jobs want instead of the coordinator's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    agent_image: Option<Option<String>>,
    /// How many of its jobs may run at once; null means any number.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i32>)]
    max_running: Option<Option<i32>>,
    /// Its share of the running slots, from 1 to 1000.
    weight: Option<i32>,
    /// Whether nothing of it is claimed.
    paused: Option<bool>,
    /// How often a failure of the agent itself is tried again, up to 100.
    retry_agent_failures: Option<i32>,
}

impl RunningChanges {
    fn over(self, now: RunningFields) -> ApiResult<RunningFields> {
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
            return Err(text::invalid("'max_running' must be at least 1; to claim nothing set 'paused' to true."));
        }
        if !(1..=1000).contains(&fields.weight) || !(0..=100).contains(&fields.retry_agent_failures) {
            return Err(text::invalid("'weight' goes from 1 to 1000, 'retry_agent_failures' from 0 to 100."));
        }
        Ok(fields)
    }
}

/// The confirmation of a deletion.
#[derive(Debug, Deserialize, ToSchema)]
pub struct DeleteProject {
    /// The project's name, exactly.
    confirm_name: Option<String>,
}

/// All projects.
#[utoipa::path(get, path = "/api/projects", tag = "projects", security(("bearer" = [])),
    responses((status = 200, body = Vec<Project>)))]
pub async fn list_projects(State(app): State<App>) -> ApiResult<Answer<Vec<Project>>> {
    let mut conn = app.pool.acquire().await?;
    Ok(Answer(db::projects::list(&mut conn).await?))
}

/// Makes a project with an empty graph, a board and, unless the repository exists already, a setup ticket.
#[utoipa::path(post, path = "/api/projects", tag = "projects", security(("bearer" = [])), request_body = NewProject,
    responses((status = 201, body = Project), (status = 400, body = ErrorBody)))]
pub async fn create_project(
    State(app): State<App>,
    Json(new): Json<NewProject>,
) -> ApiResult<(StatusCode, Answer<Project>)> {
    let fields = ProjectFields {
        name: text::title("name", new.name.as_deref().unwrap_or_default())?,
        description: new.description.map(|d| text::long_text("description", d)).transpose()?,
        github_url: text::repository_url("github_url", new.github_url.as_deref().unwrap_or_default())?,
        execution_mode: new.execution_mode.unwrap_or_default(),
        project_path: text::project_path(new.project_path.as_deref().unwrap_or_default())?,
        running: new.running.over(RunningFields::default())?,
    };
    let mut tx = app.pool.begin().await?;
    let project = db::projects::insert(&mut tx, &fields).await?;
    db::graphs::insert_empty(&mut tx, project.id).await?;
    db::boards::insert(&mut tx, project.id, &board::default_columns()).await?;
    if !new.is_existing_repo {
        insert_setup_ticket(&mut tx, &project).await?;
    }
    tx.commit().await?;
    tracing::info!(project.id = %project.id, "created a project");
    Ok((StatusCode::CREATED, Answer(project)))
}

async fn insert_setup_ticket(conn: &mut PgConnection, project: &Project) -> sqlx::Result<()> {
    let fields = TicketFields {
        column_id: board::BACKLOG.to_owned(),
        title: SETUP_TICKET_TITLE.to_owned(),
        description: Some(SETUP_TICKET_DESCRIPTION.to_owned()),
        associated_node_ids: Vec::new(),
        associated_edge_ids: Vec::new(),
        priority: "medium".to_owned(),
        status: board::STATUS_TODO.to_owned(),
    };
    db::tickets::insert(conn, project.id, &fields).await.map(drop)
}

/// One project.
#[utoipa::path(get, path = "/api/projects/{project_id}", tag = "projects", security(("bearer" = [])),
    params(ProjectPath), responses((status = 200, body = Project), (status = 404, body = ErrorBody)))]
pub async fn get_project(State(app): State<App>, Path(path): Path<ProjectPath>) -> ApiResult<Answer<Project>> {
    let mut conn = app.pool.acquire().await?;
    let project = db::projects::find(&mut conn, path.project_id).await?;
    project.map(Answer).ok_or_else(|| ApiError::not_found("project", path.project_id))
}

/// Changes a project.
#[utoipa::path(put, path = "/api/projects/{project_id}", tag = "projects", security(("bearer" = [])),
    params(ProjectPath), request_body = ProjectChanges,
    responses((status = 200, body = Project), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn update_project(
    State(app): State<App>,
    Path(path): Path<ProjectPath>,
    Json(changes): Json<ProjectChanges>,
) -> ApiResult<Answer<Project>> {
    let missing = || ApiError::not_found("project", path.project_id);
    let mut tx = app.pool.begin().await?;
    let now = db::projects::find_for_update(&mut tx, path.project_id).await?.ok_or_else(missing)?;
    let fields = ProjectFields {
        name: changes.name.map_or(Ok(now.name), |name| text::title("name", &name))?,
        description: match changes.description {
            Some(description) => description.map(|d| text::long_text("description", d)).transpose()?,
            None => now.description,
        },
        github_url: match changes.github_url {
            Some(url) => text::repository_url("github_url", &url.unwrap_or_default())?,
            None => now.github_url,
        },
        execution_mode: changes.execution_mode.unwrap_or(match now.execution_mode.as_str() {
            "local" => ExecutionMode::Local,
            _ => ExecutionMode::Docker,
        }),
        project_path: match changes.project_path {
            Some(path) => text::project_path(&path.unwrap_or_default())?,
            None => now.project_path,
        },
        running: changes.running.over(RunningFields {
            agent_image: now.agent_image,
            max_running: now.max_running,
            weight: now.weight,
            paused: now.paused,
            retry_agent_failures: now.retry_agent_failures,
        })?,
    };
    let project = db::projects::update(&mut tx, path.project_id, &fields).await?.ok_or_else(missing)?;
    tx.commit().await?;
    Ok(Answer(project))
}

/// Deletes a project with everything in it. The body repeats its name.
#[utoipa::path(delete, path = "/api/projects/{project_id}", tag = "projects", security(("bearer" = [])),
    params(ProjectPath), request_body = DeleteProject,
    responses((status = 200, body = Message), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn delete_project(
    State(app): State<App>,
    Path(path): Path<ProjectPath>,
    Json(body): Json<DeleteProject>,
) -> ApiResult<Answer<Message>> {
    let mut tx = app.pool.begin().await?;
    let project = db::projects::find_for_update(&mut tx, path.project_id)
        .await?
        .ok_or_else(|| ApiError::not_found("project", path.project_id))?;
    if body.confirm_name.as_deref() != Some(project.name.as_str()) {
        return Err(ApiError::bad_request(
            "name_not_confirmed",
            "To delete the project, send its exact name as 'confirm_name'; nothing was deleted.",
        ));
    }
    db::jobs::lock_live_of_project(&mut tx, path.project_id).await?;
    db::projects::delete(&mut tx, path.project_id).await?;
    tx.commit().await?;
    tracing::info!(project.id = %path.project_id, "deleted a project");
    Ok(Answer(Message { message: "Project deleted".to_owned() }))
}
