//! What forges send. The signature over the raw body is the only guard, and nothing is parsed before it is checked.

use crate::actions::forges::receive::{require_any_proof, require_genuine, secrets_of, store};
use crate::db::forges::deliveries::NewDelivery;
use crate::domain::forges::ForgeKind;
use crate::domain::forges::signature::Shown;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::http::error::ApiResult;
use crate::http::extract::{Path, ProjectPath, read_body, require_plain_json};
use crate::state::App;
use axum::Json;
use axum::extract::{Request, State};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};
use terarchitect_worker_api::{ErrorBody, Message, ProjectId};

/// The largest body, in bytes: more than any forge sends.
pub const MAX_BODY_BYTES: usize = 25 * 1024 * 1024;
/// The longest id or event that is kept, in characters.
const MAX_WORD_CHARS: usize = 200;

macro_rules! webhook {
    ($name:ident, $of_project:ident, $path:literal, $sender:expr, $what:literal) => {
        #[doc = $what]
        #[doc = "The signature is checked over the raw body, then the delivery is stored, and worked on later. A repeated one"]
        #[doc = "gets the same response."]
        #[utoipa::path(post, path = $path, tag = "webhooks", request_body = serde_json::Value,
            responses((status = 200, description = "A ping", body = Message), (status = 202, body = Message),
                (status = 401, body = ErrorBody)))]
        pub async fn $name(State(app): State<App>, request: Request) -> ApiResult<(StatusCode, Json<Message>)> {
            receive(&app, $sender, None, request).await
        }

        #[doc = $what]
        #[doc = "For one project, with its own secret."]
        #[utoipa::path(post, path = concat!($path, "/{project_id}"), tag = "webhooks", params(ProjectPath),
            request_body = serde_json::Value,
            responses((status = 200, description = "A ping", body = Message), (status = 202, body = Message),
                (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
        pub async fn $of_project(
            State(app): State<App>,
            Path(path): Path<ProjectPath>,
            request: Request,
        ) -> ApiResult<(StatusCode, Json<Message>)> {
            receive(&app, $sender, Some(path.project_id), request).await
        }
    };
}

webhook!(from_github, from_github_for, "/webhooks/github", ForgeKind::GitHub, "Receives a webhook of GitHub.");
webhook!(from_gitlab, from_gitlab_for, "/webhooks/gitlab", ForgeKind::GitLab, "Receives a webhook of GitLab.");
webhook!(from_gitea, from_gitea_for, "/webhooks/gitea", ForgeKind::Gitea, "Receives a webhook of Gitea or Forgejo.");

async fn receive(
    app: &App,
    sender: ForgeKind,
    hook_project: Option<ProjectId>,
    request: Request,
) -> ApiResult<(StatusCode, Json<Message>)> {
    let headers = request.headers().clone();
    require_size(&headers)?;
    let secrets = secrets_of(&app.database, &app.sealer, sender, hook_project).await?;
    let shown = shown(sender, &headers);
    require_any_proof(&shown)?;
    let body = read_body(request, &()).await?;
    require_genuine(sender, &secrets, &shown, &body)?;
    require_plain_json(&headers)?;
    let said = |message: &str| Json(Message { message: message.to_owned() });
    let event = event(sender, &headers);
    let id = id(sender, &headers).unwrap_or_else(|| hex::encode(Sha256::digest(&body)));
    let new = NewDelivery { sender, hook_project, delivery_id: &id, event: &event, body: &body };
    if store(&app.database, &new).await? {
        app.forge_signals.notify_received();
    }
    // Stored like the others, so that people see that it came.
    if event == "ping" {
        return Ok((StatusCode::OK, said("The webhook works")));
    }
    Ok((StatusCode::ACCEPTED, said("Received")))
}

/// Refuses a body that says that it is too large, before any of it is read.
fn require_size(headers: &HeaderMap) -> Result<(), Refusal> {
    let length = text(headers, CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        let sentence = "The body is larger than this endpoint accepts, which is 25 MiB.";
        return Err(Refusal::new(ErrorCode::BodyTooLarge, sentence));
    }
    Ok(())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The first of these headers, cut.
fn word(headers: &HeaderMap, names: &[&str]) -> Option<String> {
    let found = names.iter().find_map(|name| text(headers, name).filter(|text| !text.trim().is_empty()));
    found.map(|text| text.trim().chars().take(MAX_WORD_CHARS).collect())
}

/// Gitea also sends GitHub's headers, so each sender's own are read by the address alone.
fn shown(sender: ForgeKind, headers: &HeaderMap) -> Shown<'_> {
    let header = |name| text(headers, name);
    match sender {
        ForgeKind::GitHub => Shown { signature: header("x-hub-signature-256"), ..Shown::default() },
        ForgeKind::GitLab => Shown {
            signature: header("webhook-signature"),
            token: header("x-gitlab-token"),
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
        },
        ForgeKind::Gitea => {
            let signature = header("x-gitea-signature").or_else(|| header("x-forgejo-signature"));
            Shown { signature, ..Shown::default() }
        }
    }
}

/// What the forge calls the delivery, the same when it sends it again.
fn id(sender: ForgeKind, headers: &HeaderMap) -> Option<String> {
    word(
        headers,
        match sender {
            ForgeKind::GitHub => &["x-github-delivery"],
            ForgeKind::GitLab => &["webhook-id", "idempotency-key", "x-gitlab-event-uuid"],
            ForgeKind::Gitea => &["x-gitea-delivery", "x-forgejo-delivery"],
        },
    )
}

fn event(sender: ForgeKind, headers: &HeaderMap) -> String {
    let names: &[&str] = match sender {
        ForgeKind::GitHub => &["x-github-event"],
        ForgeKind::GitLab => &["x-gitlab-event"],
        ForgeKind::Gitea => &["x-gitea-event", "x-forgejo-event"],
    };
    word(headers, names).unwrap_or_else(|| "unknown".to_owned())
}
