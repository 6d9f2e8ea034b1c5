//! A ticket's pull request: read, comment, approve, merge.

use crate::access::Caller;
use crate::actions::ActionResult;
use crate::actions::forges::review::approve::Approval;
use crate::actions::forges::review::comment::NewPullComment;
use crate::actions::forges::review::list::ListedReview;
use crate::actions::forges::review::merge::NewMerge;
use crate::actions::forges::review::view::PullReview;
use crate::actions::forges::review::{ReviewDone, Reviewer};
use crate::http::error::{ApiError, ApiResult};
use crate::http::extract::{JsonBody, OptionalJsonBody, Path, ProjectPath, TicketPath};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use terarchitect_worker_api::ErrorBody;

/// The pull requests of a project's tickets, those that are open first; at most 100. From what is known here: no forge is
/// asked.
#[utoipa::path(get, path = "/api/projects/{project_id}/review", tag = "reviews",
    security(("bearer" = []), ("session" = [])), params(ProjectPath),
    responses((status = 200, body = Vec<ListedReview>), (status = 404, body = ErrorBody)))]
pub async fn list_reviews(State(app): State<App>, Path(path): Path<ProjectPath>) -> ApiResult<Json<Vec<ListedReview>>> {
    Ok(Json(app.reviews.list(path.project_id).await?))
}

/// The ticket's pull request, as its forge shows it now or did a moment ago. Where the forge can't be asked, what was read
/// last, with `stale_reason`.
#[utoipa::path(get, path = "/api/projects/{project_id}/tickets/{ticket_id}/review", tag = "reviews",
    security(("bearer" = []), ("session" = [])), params(TicketPath),
    responses((status = 200, body = PullReview), (status = 404, body = ErrorBody), (status = 502, body = ErrorBody)))]
pub async fn get_review(State(app): State<App>, Path(path): Path<TicketPath>) -> ApiResult<Json<PullReview>> {
    Ok(Json(app.reviews.read(path.project_id, path.ticket_id).await?))
}

/// Comments on the ticket's pull request, or replies in a thread. With `order`, the agent works on it, as on a review.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets/{ticket_id}/review/comment", tag = "reviews",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = NewPullComment,
    responses((status = 200, body = ReviewDone), (status = 404, body = ErrorBody), (status = 502, body = ErrorBody)))]
pub async fn comment(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    JsonBody(new): JsonBody<NewPullComment>,
) -> ApiResult<Json<ReviewDone>> {
    let is_order = new.order;
    let (by, reviews) = (reviewer(&caller), app.reviews.clone());
    let done = to_its_end(async move { reviews.comment(&by, (path.project_id, path.ticket_id), new).await });
    let done = done.await?;
    if is_order {
        app.forge_signals.notify_accepted();
    }
    Ok(Json(done))
}

/// Approves the ticket's pull request, with the approver's credential for its host.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets/{ticket_id}/review/approve", tag = "reviews",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = Approval,
    responses((status = 200, body = ReviewDone), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 502, body = ErrorBody)))]
pub async fn approve(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    OptionalJsonBody(new): OptionalJsonBody<Approval>,
) -> ApiResult<Json<ReviewDone>> {
    let (by, reviews) = (reviewer(&caller), app.reviews.clone());
    let done = to_its_end(async move { reviews.approve(&by, (path.project_id, path.ticket_id), new).await });
    Ok(Json(done.await?))
}

/// Merges the ticket's pull request, if its head is still `head_sha`. The ticket goes to Done.
#[utoipa::path(post, path = "/api/projects/{project_id}/tickets/{ticket_id}/review/merge", tag = "reviews",
    security(("bearer" = []), ("session" = [])), params(TicketPath), request_body = NewMerge,
    responses((status = 200, body = ReviewDone), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 502, body = ErrorBody)))]
pub async fn merge(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<TicketPath>,
    OptionalJsonBody(new): OptionalJsonBody<NewMerge>,
) -> ApiResult<Json<ReviewDone>> {
    let (by, reviews) = (reviewer(&caller), app.reviews.clone());
    let done = to_its_end(async move { reviews.merge(&by, (path.project_id, path.ticket_id), new).await });
    let done = done.await?;
    app.forge_signals.notify_posts();
    Ok(Json(done))
}

fn reviewer(caller: &Caller) -> Reviewer {
    Reviewer { actor: caller.actor(), name: caller.name() }
}

/// Lets something at a forge come to its end, also where the client goes away meanwhile: what was done there is noted here.
async fn to_its_end<T: Send + 'static>(what: impl Future<Output = ActionResult<T>> + Send + 'static) -> ApiResult<T> {
    Ok(tokio::spawn(what).await.map_err(ApiError::internal)??)
}
