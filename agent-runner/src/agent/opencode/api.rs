//! The server's HTTP calls, typed. No decisions, no retries.

use super::wire::{Health, Message, PermissionRequest, Providers, QuestionRequest, Session, SessionStatus};
use crate::prompts::OPENCODE_SYSTEM;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;
use terarchitect_outbound::{chain, endpoint, is_loopback};
use url::Url;

/// How long an ordinary call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How many messages are fetched at once; each can hold a tool's whole output.
const PAGE: usize = 40;

/// How much of a refusal is kept for the error message, in characters.
const EXCERPT_CHARS: usize = 400;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("no response: {}", chain(.0))]
    Transport(#[source] reqwest::Error),
    #[error("it returned {status}: {message}")]
    Status { status: StatusCode, message: String },
    #[error("its response could not be read: {0}")]
    Body(#[source] serde_json::Error),
}

/// Which model answers a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ModelId {
    pub(super) provider: String,
    pub(super) model: String,
}

/// A client of one server, for one workspace.
#[derive(Clone)]
pub(super) struct Api {
    http: reqwest::Client,
    base: Url,
    username: String,
    password: Option<SecretString>,
    directory: String,
}

impl Api {
    pub(super) fn new(
        base: Url,
        username: Option<String>,
        password: Option<SecretString>,
        directory: &Path,
    ) -> Result<Self, ApiError> {
        let mut http = reqwest::Client::builder().connect_timeout(Duration::from_secs(5));
        if is_loopback(&base) {
            http = http.no_proxy();
            if base.scheme() == "http" {
                // The system's certificates are not needed, and may be missing.
                http = http.tls_certs_only([]);
            }
        }
        Ok(Self {
            http: http.build().map_err(ApiError::Transport)?,
            base,
            username: username.unwrap_or_else(|| "opencode".to_owned()),
            password,
            directory: directory.display().to_string(),
        })
    }

    pub(super) async fn health(&self, limit: Duration) -> Result<Health, ApiError> {
        read(self.request(Method::GET, "global/health").timeout(limit)).await
    }

    /// Creates a session with a title, which saves the model call that would generate one.
    pub(super) async fn create_session(&self, title: &str) -> Result<Session, ApiError> {
        read(self.request(Method::POST, "session").json(&json!({ "title": title }))).await
    }

    /// Prompts and waits for the end of the turn, however long it takes.
    pub(super) async fn prompt(&self, session: &str, text: &str, model: Option<&ModelId>) -> Result<Message, ApiError> {
        let mut body = json!({ "parts": [{ "type": "text", "text": text }], "system": OPENCODE_SYSTEM.trim() });
        if let Some(model) = model {
            body["model"] = json!({ "providerID": model.provider, "modelID": model.model });
        }
        let request = self.endless(Method::POST, &format!("session/{session}/message"));
        read(request.json(&body)).await
    }

    /// Compacts the conversation and waits for the end of it. The response is a success even if compacting failed.
    pub(super) async fn summarize(&self, session: &str, model: &ModelId) -> Result<(), ApiError> {
        let body = json!({ "providerID": model.provider, "modelID": model.model });
        let request = self.endless(Method::POST, &format!("session/{session}/summarize"));
        read::<Value>(request.json(&body)).await.map(drop)
    }

    pub(super) async fn abort(&self, session: &str, limit: Duration) -> Result<(), ApiError> {
        let request = self.request(Method::POST, &format!("session/{session}/abort")).timeout(limit);
        read::<Value>(request).await.map(drop)
    }

    /// Whether the session is busy. The server's status can lag behind.
    pub(super) async fn is_busy(&self, session: &str, limit: Duration) -> Result<bool, ApiError> {
        let request = self.request(Method::GET, "session/status").timeout(limit);
        let all: HashMap<String, SessionStatus> = read(request).await?;
        Ok(all.get(session).is_some_and(|status| *status != SessionStatus::Idle))
    }

    /// All messages after `known`, oldest first; without it, all.
    pub(super) async fn messages_after(&self, session: &str, known: Option<&str>) -> Result<Vec<Message>, ApiError> {
        let mut newest_first: Vec<Message> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut request = self.request(Method::GET, &format!("session/{session}/message"));
            request = request.query(&[("limit", PAGE)]);
            if let Some(cursor) = &cursor {
                request = request.query(&[("before", cursor)]);
            }
            let response = send(request).await?;
            cursor = header(&response, "x-next-cursor");
            let page: Vec<Message> = body(response).await?;
            let is_end = page.is_empty();
            for message in page.into_iter().rev() {
                if Some(message.info.id.as_str()) == known {
                    newest_first.reverse();
                    return Ok(newest_first);
                }
                newest_first.push(message);
            }
            if cursor.is_none() || is_end {
                newest_first.reverse();
                return Ok(newest_first);
            }
        }
    }

    /// The id of the newest message.
    pub(super) async fn newest_message(&self, session: &str) -> Result<Option<String>, ApiError> {
        let request = self.request(Method::GET, &format!("session/{session}/message")).query(&[("limit", 1)]);
        let page: Vec<Message> = read(request).await?;
        Ok(page.into_iter().next_back().map(|message| message.info.id))
    }

    /// A session with all of its messages, as `opencode import` reads it.
    pub(super) async fn whole_session(&self, session: &str) -> Result<Value, ApiError> {
        let info: Value = read(self.request(Method::GET, &format!("session/{session}"))).await?;
        let mut pages: Vec<Vec<Value>> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut request = self.request(Method::GET, &format!("session/{session}/message"));
            request = request.query(&[("limit", PAGE)]);
            if let Some(cursor) = &cursor {
                request = request.query(&[("before", cursor)]);
            }
            let response = send(request).await?;
            cursor = header(&response, "x-next-cursor");
            let page: Vec<Value> = body(response).await?;
            let is_end = page.is_empty();
            pages.push(page);
            if cursor.is_none() || is_end {
                break;
            }
        }
        let messages: Vec<Value> = pages.into_iter().rev().flatten().collect();
        Ok(json!({ "info": info, "messages": messages }))
    }

    pub(super) async fn delete_message(&self, session: &str, message: &str) -> Result<(), ApiError> {
        let request = self.request(Method::DELETE, &format!("session/{session}/message/{message}"));
        read::<Value>(request).await.map(drop)
    }

    /// Lets the server load what every workspace needs.
    pub(super) async fn warm_up(&self) -> Result<(), ApiError> {
        read::<IgnoredAny>(self.request(Method::GET, "config/providers")).await.map(drop)
    }

    /// The same server, for another workspace.
    pub(super) fn for_directory(&self, directory: &Path) -> Self {
        Self { directory: directory.display().to_string(), ..self.clone() }
    }

    /// The provider that has `model`, which may also be written as `provider/model`.
    pub(super) async fn find_model(&self, model: &str) -> Result<Option<ModelId>, ApiError> {
        let config: Providers = read(self.request(Method::GET, "config/providers")).await?;
        let all = config.providers.iter().flat_map(|provider| {
            provider.models.keys().map(|model| ModelId { provider: provider.id.clone(), model: model.clone() })
        });
        Ok(all.into_iter().find(|id| id.model == model || format!("{}/{}", id.provider, id.model) == model))
    }

    pub(super) async fn permissions(&self) -> Result<Vec<PermissionRequest>, ApiError> {
        read(self.request(Method::GET, "permission")).await
    }

    pub(super) async fn reject_permission(&self, id: &str, message: &str) -> Result<(), ApiError> {
        let request = self.request(Method::POST, &format!("permission/{id}/reply"));
        read::<Value>(request.json(&json!({ "reply": "reject", "message": message }))).await.map(drop)
    }

    /// Grants this one request. What else is granted is decided when it is asked for.
    pub(super) async fn grant_permission(&self, id: &str) -> Result<(), ApiError> {
        let request = self.request(Method::POST, &format!("permission/{id}/reply"));
        read::<Value>(request.json(&json!({ "reply": "once" }))).await.map(drop)
    }

    pub(super) async fn questions(&self) -> Result<Vec<QuestionRequest>, ApiError> {
        read(self.request(Method::GET, "question")).await
    }

    /// Answers each part of a question with the same words. Rejecting it instead would end the turn.
    pub(super) async fn answer_question(&self, id: &str, parts: usize, words: &str) -> Result<(), ApiError> {
        let request = self.request(Method::POST, &format!("question/{id}/reply"));
        read::<Value>(request.json(&json!({ "answers": vec![[words]; parts.max(1)] }))).await.map(drop)
    }

    /// Opens the stream of events.
    pub(super) async fn events(&self) -> Result<Response, ApiError> {
        send(self.endless(Method::GET, "event")).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.endless(method, path).timeout(CALL_TIMEOUT)
    }

    fn endless(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, endpoint(&self.base, path)).query(&[("directory", &self.directory)]);
        match &self.password {
            Some(password) => request.basic_auth(&self.username, Some(password.expose_secret())),
            None => request,
        }
    }
}

async fn read<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, ApiError> {
    body(send(request).await?).await
}

async fn send(request: RequestBuilder) -> Result<Response, ApiError> {
    let response = request.send().await.map_err(|error| ApiError::Transport(error.without_url()))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = response.text().await.unwrap_or_default();
    let message = serde_json::from_str::<Value>(&text)
        .ok()
        .and_then(|body| body.pointer("/data/message").or(body.get("message"))?.as_str().map(str::to_owned))
        .unwrap_or(text);
    Err(ApiError::Status { status, message: message.chars().take(EXCERPT_CHARS).collect() })
}

async fn body<T: DeserializeOwned>(response: Response) -> Result<T, ApiError> {
    let bytes = response.bytes().await.map_err(|error| ApiError::Transport(error.without_url()))?;
    serde_json::from_slice(&bytes).map_err(ApiError::Body)
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}
