//! Images by every form of their name, pulled by the real engine from a small registry, which writes down who asks.

use crate::{Engine, base_image, job, world};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use terarchitect_coordinator::engine::Created;
use terarchitect_coordinator::job::spec::container_spec;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A registry with one image, read-only.
struct Registry {
    address: String,
    /// The image's id at the engine, and the digest of its manifest.
    id: String,
    digest: String,
    content: Arc<Content>,
}

struct Content {
    blobs: HashMap<String, Vec<u8>>,
    manifest: Vec<u8>,
    wants_login: bool,
    logins: Mutex<Vec<String>>,
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

impl Registry {
    async fn start(wants_login: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("unique"), uuid::Uuid::new_v4().to_string()).unwrap();
        let layer = Command::new("tar").arg("-C").arg(folder.path()).args(["-cf", "-", "."]).output().unwrap().stdout;
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": { "Cmd": ["/none"] },
            "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] }, "history": [{ "created_by": "test" }],
        });
        let config = serde_json::to_vec(&config).unwrap();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": { "mediaType": "application/vnd.docker.container.image.v1+json", "size": config.len(), "digest": digest(&config) },
            "layers": [{ "mediaType": "application/vnd.docker.image.rootfs.diff.tar", "size": layer.len(), "digest": digest(&layer) }],
        });
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let (id, manifest_digest) = (digest(&config), digest(&manifest));
        let blobs = [layer, config].map(|blob| (digest(&blob), blob)).into_iter().collect();
        let content = Arc::new(Content { blobs, manifest, wants_login, logins: Mutex::default() });
        let routes = Router::new()
            .route("/v2/", get(ping))
            .route("/v2/team/agent/manifests/{reference}", get(manifests))
            .route("/v2/team/agent/blobs/{digest}", get(blob))
            .with_state(content.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { address, id, digest: manifest_digest, content }
    }

    fn logins(&self) -> Vec<String> {
        self.content.logins.lock().unwrap().clone()
    }

    fn remove_image(&self) {
        let removed = Engine::default().docker().args(["rmi", "-f", &self.id]).stdout(Stdio::null()).status().unwrap();
        assert!(removed.success(), "the image could not be removed");
    }
}

/// The refusal of a request without a login, where one is wanted.
fn refusal(content: &Content, headers: &HeaderMap) -> Option<Response> {
    match headers.get(header::AUTHORIZATION) {
        Some(login) => content.logins.lock().unwrap().push(login.to_str().unwrap().to_owned()),
        None if content.wants_login => {
            let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"test\"")];
            return Some((StatusCode::UNAUTHORIZED, challenge).into_response());
        }
        None => {}
    }
    None
}

async fn ping(State(content): State<Arc<Content>>, headers: HeaderMap) -> Response {
    refusal(&content, &headers).unwrap_or_else(|| StatusCode::OK.into_response())
}

async fn manifests(State(content): State<Arc<Content>>, Path(reference): Path<String>, headers: HeaderMap) -> Response {
    if let Some(refusal) = refusal(&content, &headers) {
        return refusal;
    }
    let digest = digest(&content.manifest);
    if !["latest", "1.2", &digest].contains(&reference.as_str()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    ([(header::CONTENT_TYPE.as_str(), MANIFEST), ("docker-content-digest", &digest)], content.manifest.clone())
        .into_response()
}

async fn blob(State(content): State<Arc<Content>>, Path(digest): Path<String>, headers: HeaderMap) -> Response {
    let found = || content.blobs.get(&digest).cloned().ok_or(StatusCode::NOT_FOUND).into_response();
    refusal(&content, &headers).unwrap_or_else(found)
}

#[tokio::test]
async fn an_image_is_pulled_by_every_form_of_its_name() {
    if base_image().is_none() {
        return;
    }
    let registry = Registry::start(true).await;
    let (address, digest) = (&registry.address, &registry.digest);
    for form in ["", ":latest", ":1.2", &format!("@{digest}"), &format!(":1.2@{digest}")] {
        let image = format!("{address}/team/agent{form}");
        let login = ["--registry-username", "me", "--registry-password", "pass"];
        let world = world(&Engine::default(), &image, &login).await;
        let engine = &world.shared.engine;
        assert!(!engine.has_image(&image).await.unwrap(), "{image}");
        world.shared.images.require(engine.as_ref(), &image).await.unwrap();
        assert!(engine.has_image(&image).await.unwrap(), "{image}");
        let spec = container_spec(&job(), &world.shared.config, world.shared.state.coordinator());
        let Created::New(id) = engine.create(&spec).await.unwrap() else { panic!("it is new") };
        engine.remove(&id).await.unwrap();
        let volume = Engine::default().docker().args(["volume", "rm", "-f", &spec.cache_volume]).output().unwrap();
        assert!(volume.status.success());
        registry.remove_image();
    }
    assert!(registry.logins().iter().all(|login| login == "Basic bWU6cGFzcw=="), "{:?}", registry.logins());
}

#[tokio::test]
async fn another_registry_does_not_learn_the_login_of_the_agent_images() {
    if base_image().is_none() {
        return;
    }
    let (own, other) = (Registry::start(true).await, Registry::start(false).await);
    let image = format!("{}/team/agent:1.2", own.address);
    let login = ["--registry-username", "me", "--registry-password", "pass"];
    let world = world(&Engine::default(), &image, &login).await;
    let foreign = format!("{}/team/agent:1.2", other.address);
    world.shared.engine.pull(&foreign).await.unwrap();
    world.shared.engine.pull(&image).await.unwrap();
    other.remove_image();
    own.remove_image();
    assert_eq!(other.logins(), Vec::<String>::new());
    assert!(!own.logins().is_empty());

    // One that wants a login says so, and does not get this one either.
    let closed = Registry::start(true).await;
    let refused = world.shared.engine.pull(&format!("{}/team/agent:1.2", closed.address)).await.unwrap_err();
    let said = terarchitect_outbound::chain(&refused);
    assert!(said.contains("could not be pulled") && closed.logins().is_empty(), "{said}");
}
