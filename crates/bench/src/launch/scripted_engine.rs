//! An engine that runs nothing: enough of Docker's API for a coordinator, whose containers stay until they are stopped.

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::UnixListener;
use tokio::sync::watch;

#[derive(Clone, Debug)]
struct Container {
    labels: Value,
    running: bool,
}

type Containers = watch::Sender<BTreeMap<String, Container>>;

/// A running scripted engine.
pub(super) struct ScriptedEngine {
    socket: PathBuf,
    containers: Arc<Containers>,
    _dir: tempfile::TempDir,
    serving: tokio::task::JoinHandle<()>,
    problems: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Shared {
    containers: Arc<Containers>,
    problems: Arc<Mutex<Vec<String>>>,
}

impl ScriptedEngine {
    pub(super) fn start() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir().context("could not create a temporary directory")?;
        let socket = dir.path().join("docker.sock");
        let listener = UnixListener::bind(&socket).context("could not create the engine's socket")?;
        let shared = Shared { containers: Arc::default(), problems: Arc::default() };
        let router = Router::new().fallback(respond).with_state(shared.clone());
        let serving = tokio::spawn(async move {
            // It ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { socket, containers: shared.containers, _dir: dir, serving, problems: shared.problems })
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Waits until this many containers run.
    pub(super) async fn until_running(&self, number: usize) -> anyhow::Result<()> {
        let mut containers = self.containers.subscribe();
        let all = containers.wait_for(|all| all.values().filter(|container| container.running).count() == number);
        let waited = tokio::time::timeout(std::time::Duration::from_secs(60), all).await;
        let problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
        waited
            .with_context(|| format!("the containers did not start in time; {problems}"))?
            .context("the scripted engine stopped")?;
        Ok(())
    }
}

impl Drop for ScriptedEngine {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, axum::Json(json!({"message": "no such container"}))).into_response()
}

fn json_of(value: Value) -> Response {
    axum::Json(value).into_response()
}

async fn respond(State(shared): State<Shared>, method: Method, uri: Uri, body: Bytes) -> Response {
    // The first part of the path may be the version of Docker's API.
    let path: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty() && !part.starts_with("v1.")).collect();
    let containers = &shared.containers;
    let state = |container: &Container| {
        let status = if container.running { "running" } else { "exited" };
        json!({"Status": status, "Running": container.running, "ExitCode": 0, "StartedAt": "2026-01-01T00:00:00Z"})
    };
    match (method.as_str(), path.as_slice()) {
        (_, ["_ping"]) => "OK".into_response(),
        ("GET", ["version"]) => json_of(json!({"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"})),
        ("GET", ["info"]) => json_of(json!({"DockerRootDir": "/"})),
        ("GET", ["networks" | "images", .., _]) => json_of(json!({"Id": "scripted"})),
        ("POST", ["containers", "create"]) => {
            let name = uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("name=")));
            let Some(name) = name else { return not_found() };
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let container = Container { labels: body["Labels"].clone(), running: false };
            containers.send_modify(|all| {
                all.insert(name.to_owned(), container);
            });
            (StatusCode::CREATED, axum::Json(json!({"Id": name, "Warnings": []}))).into_response()
        }
        ("POST", ["containers", id, action @ ("start" | "kill")]) => {
            let running = *action == "start";
            containers.send_modify(|all| {
                if let Some(container) = all.get_mut(*id) {
                    container.running = running;
                }
            });
            StatusCode::NO_CONTENT.into_response()
        }
        ("POST", ["containers", id, "wait"]) => {
            let mut all = containers.subscribe();
            // The sender lives as long as this.
            let _ = all.wait_for(|all| all.get(*id).is_none_or(|container| !container.running)).await;
            json_of(json!({"StatusCode": 0}))
        }
        ("GET", ["containers", "json"]) => json_of(json!([])),
        ("GET", ["containers", id, "json"]) => match containers.borrow().get(*id) {
            Some(container) => {
                json_of(json!({"Id": id, "State": state(container), "Config": {"Labels": container.labels}}))
            }
            None => not_found(),
        },
        ("GET", ["containers", _, "logs"]) => StatusCode::OK.into_response(),
        ("DELETE", ["containers", id]) => {
            containers.send_modify(|all| {
                all.remove(*id);
            });
            StatusCode::NO_CONTENT.into_response()
        }
        _ => {
            shared.problems.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{method} {uri}"));
            not_found()
        }
    }
}
