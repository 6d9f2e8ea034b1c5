//! The guard of the routes: lets in the callers that may use an endpoint, and records who they are.

use super::who::{require_open, require_scope, who};
use super::{Caller, Need};
use crate::db;
use crate::domain::people::Role;
use crate::domain::people::rights::Rights;
use crate::domain::people::token::TokenScope;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::http::error::ApiResult;
use crate::state::App;
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::request::Parts;
use std::str::FromStr;
use terarchitect_worker_api::{JobId, ProjectId, TicketId};
use uuid::Uuid;

/// Lets in who has what the endpoint needs.
///
/// # Errors
/// 401 for callers who are unknown, 403 for those who may not do this, 404 for what a caller may not see.
pub async fn guard(State((app, need)): State<(App, Need)>, request: Request, next: Next) -> ApiResult<Response> {
    let (mut parts, body) = request.into_parts();
    if need == Need::Open {
        require_open(&app, &parts).await?;
    } else {
        let caller = who(&app, need, &mut parts).await?;
        authorise(&app, need, &caller, &mut parts).await?;
        parts.extensions.insert(caller);
    }
    Ok(next.run(Request::from_parts(parts, body)).await)
}

/// Who calls an endpoint that everyone may call, where that is known.
#[derive(Clone, Debug)]
pub struct MaybeCaller(pub Option<Caller>);

impl FromRequestParts<App> for MaybeCaller {
    type Rejection = crate::http::error::ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        match who(app, Need::SignedIn, parts).await {
            Ok(caller) => Ok(Self(Some(caller))),
            Err(error) if matches!(error.code().status(), 401 | 403) => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }
}

async fn authorise(app: &App, need: Need, caller: &Caller, parts: &mut Parts) -> ApiResult<()> {
    let rights = match caller {
        // Who has a key, a job token or no need of either was let in for what it may do.
        Caller::Application | Caller::Worker | Caller::Job(_) | Caller::Local => return Ok(()),
        Caller::Person(session) => session.person.rights(),
        Caller::Token(token) => {
            require_scope(token.scope, need)?;
            if token.scope == TokenScope::Worker {
                return Ok(());
            }
            token.rights.clone()
        }
    };
    match need {
        Need::Open | Need::SignedIn | Need::Ingest => Ok(()),
        Need::Worker | Need::Runner => Ok(rights.require(Role::Admin)?),
        Need::Role(role) | Need::RoleOrWorker(role) | Need::RoleOrIngest(role) => {
            require_role(app, role, &rights, parts).await
        }
    }
}

/// Requires a role: in the project that the path names, by its id or by that of a job, a ticket or a checkpoint, or else everywhere.
async fn require_role(app: &App, needed: Role, rights: &Rights, parts: &mut Parts) -> ApiResult<()> {
    if rights.role == Role::Admin || needed == Role::Admin {
        // A project that someone may not see does not exist, whatever is to be done with it.
        for name in ["project_id", "repo_id"] {
            if let Some(project) = named::<ProjectId>(parts, name).await?
                && rights.role_in(project) == Role::None
            {
                return Err(Refusal::not_found("project", project).into());
            }
        }
        return Ok(rights.require(needed)?);
    }
    if let Some(project) = named::<ProjectId>(parts, "project_id").await? {
        return Ok(rights.require_in(project, needed)?);
    }
    if let Some(repo) = named::<ProjectId>(parts, "repo_id").await? {
        return Ok(rights.require_in(repo, needed)?);
    }
    if let Some(order) = named::<TicketId>(parts, "work_order_id").await? {
        let project = db::work_orders::project_of(&mut *app.database.read().await?, order).await?;
        return require_in_found(project, needed, rights, || Refusal::not_found("work order", order));
    }
    if let Some(job) = named::<JobId>(parts, "job_id").await? {
        let project = db::jobs::project_of(&mut *app.database.read().await?, job).await?;
        return require_in_found(project, needed, rights, || Refusal::not_found("job", job));
    }
    if let Some(ticket) = named::<TicketId>(parts, "ticket_id").await? {
        let project = db::tickets::inbox::project_of(&mut *app.database.read().await?, ticket).await?;
        return require_in_found(project, needed, rights, || Refusal::not_found("ticket", ticket));
    }
    if let Some(checkpoint) = named::<Uuid>(parts, "checkpoint_id").await? {
        let project = db::checkpoints::project_of(&mut *app.database.read().await?, checkpoint).await?;
        return require_in_found(project, needed, rights, || Refusal::not_found("checkpoint", checkpoint));
    }
    Ok(rights.require(needed)?)
}

/// Requires a role in the project of something that the path names. Who may not see the project gets `missing`.
fn require_in_found(
    project: Option<ProjectId>,
    needed: Role,
    rights: &Rights,
    missing: impl FnOnce() -> Refusal,
) -> ApiResult<()> {
    match project.filter(|project| rights.role_in(*project) != Role::None) {
        Some(project) => Ok(rights.require_in(project, needed)?),
        None => Err(missing().into()),
    }
}

/// An id in the path.
async fn named<T: FromStr>(parts: &mut Parts, name: &str) -> ApiResult<Option<T>> {
    let Ok(params) = RawPathParams::from_request_parts(parts, &()).await else {
        return Err(Refusal::new(ErrorCode::InvalidPath, "The path is not valid UTF-8.").into());
    };
    let Some((_, text)) = params.iter().find(|(given, _)| *given == name) else { return Ok(None) };
    let invalid = |_| Refusal::new(ErrorCode::InvalidPath, format!("The path is not valid: '{name}' must be a UUID."));
    Ok(Some(text.parse().map_err(invalid)?))
}
