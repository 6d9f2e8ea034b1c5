//! A GitHub of one repository with one pull request, over real HTTP, for what people do with it from here.

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard};

/// The token of the account that opened the pull request.
pub(crate) const BOT: &str = "token-of-the-bot";
/// The token of another account.
pub(crate) const ANN: &str = "token-of-ann";
pub(crate) const HEAD: &str = "1111111111111111111111111111111111111111";
pub(crate) const NEXT_HEAD: &str = "2222222222222222222222222222222222222222";

/// The pull request as it is, and what was asked.
pub(crate) struct World {
    pub(crate) head: &'static str,
    pub(crate) state: &'static str,
    pub(crate) merged: bool,
    pub(crate) mergeable_state: &'static str,
    pub(crate) comments: Vec<Value>,
    pub(crate) lines: Vec<Value>,
    pub(crate) reviews: Vec<Value>,
    pub(crate) runs: Vec<Value>,
    /// Responds with 503 to everything.
    pub(crate) is_down: bool,
    /// The head moves at the moment of the merge.
    pub(crate) moves_at_merge: bool,
    /// `METHOD /path` with the token that came along.
    pub(crate) asked: Vec<(String, String)>,
}

/// It runs as long as the test.
#[derive(Clone)]
pub(crate) struct GitHub {
    pub(crate) address: String,
    world: Arc<Mutex<World>>,
}

impl GitHub {
    pub(crate) async fn start() -> Self {
        let world = World {
            head: HEAD,
            state: "open",
            merged: false,
            mergeable_state: "clean",
            comments: Vec::new(),
            lines: vec![line(501, "Rename it.", None)],
            reviews: Vec::new(),
            runs: vec![json!({"id": 1, "name": "build", "status": "completed", "conclusion": "success"})],
            is_down: false,
            moves_at_merge: false,
            asked: Vec::new(),
        };
        let world = Arc::new(Mutex::new(world));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new().fallback(respond).with_state(world.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, world }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// How many requests came so far.
    pub(crate) fn requests(&self) -> usize {
        self.world().asked.len()
    }

    /// The tokens that came with a request.
    pub(crate) fn tokens_of(&self, call: &str) -> Vec<String> {
        let world = self.world();
        world.asked.iter().filter(|(asked, _)| asked == call).map(|(_, token)| token.clone()).collect()
    }
}

/// A comment at a line.
pub(crate) fn line(id: i64, body: &str, in_reply_to: Option<i64>) -> Value {
    let mut line = json!({
        "id": id, "user": {"id": 7, "login": "ann", "type": "User"}, "body": body, "path": "src/a.rs", "line": 3,
        "side": "RIGHT", "diff_hunk": "@@ -1 +1 @@\n+fn a()", "created_at": "2026-11-29T10:00:00Z",
        "html_url": "https://h/demo/hello/pull/1#r501",
    });
    if let Some(top) = in_reply_to {
        line["in_reply_to_id"] = json!(top);
    }
    line
}

fn account(token: &str) -> Option<Value> {
    match token {
        BOT => Some(json!({"id": 99, "login": "terabot", "type": "User"})),
        ANN => Some(json!({"id": 7, "login": "ann", "type": "User"})),
        _ => None,
    }
}

fn token_of(headers: &HeaderMap) -> String {
    let value = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.trim_start_matches("Bearer ").to_owned()
}

async fn respond(State(world): State<Arc<Mutex<World>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1024 * 1024).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let token = token_of(&parts.headers);
    let path = parts.uri.path().trim_start_matches('/').to_owned();
    let mut world = world.lock().unwrap();
    world.asked.push((format!("{} /{path}", parts.method), token.clone()));
    if world.is_down {
        return (StatusCode::SERVICE_UNAVAILABLE, "down").into_response();
    }
    let Some(who) = account(&token) else { return said(401, json!({"message": "Bad credentials"})) };
    let path = path.strip_prefix("repos/demo/hello/").unwrap_or(&path).to_owned();
    let parts: (Method, Vec<&str>) = (parts.method, path.split('/').collect());
    answer(&mut world, &parts.0, &parts.1, &body, who)
}

fn answer(world: &mut World, method: &Method, path: &[&str], body: &Value, who: Value) -> Response {
    let text = body["body"].as_str().unwrap_or_default();
    match (method.as_str(), path) {
        ("GET", ["user"]) => said(200, who),
        ("GET", ["pulls", "1"]) => said(200, pull(world)),
        ("GET", ["pulls", "1", "commits"]) => {
            let commit = json!({"message": "Say hello", "author": {"name": "Agent"}});
            said(200, json!([{"sha": HEAD, "commit": commit, "html_url": "https://h/c"}]))
        }
        ("GET", ["pulls", "1", "files"]) => said(200, json!([{"filename": "src/a.rs"}, {"filename": "tests/a.rs"}])),
        ("GET", ["pulls", "1", "reviews"]) => said(200, json!(world.reviews)),
        ("GET", ["pulls", "1", "comments"]) => said(200, json!(world.lines)),
        ("GET", ["issues", "1", "comments"]) => said(200, json!(world.comments)),
        ("GET", ["commits", _, "check-runs"]) => said(200, json!({"total_count": 1, "check_runs": world.runs})),
        ("GET", ["commits", _, "status"]) => said(200, json!({"total_count": 0, "statuses": []})),
        ("POST", ["graphql"]) => {
            let node = json!({"isResolved": false, "comments": {"nodes": [{"databaseId": 501}]}});
            let threads = json!({"nodes": [node], "pageInfo": {"hasNextPage": false}});
            said(200, json!({"data": {"repository": {"pullRequest": {"reviewThreads": threads}}}}))
        }
        ("POST", ["issues", "1", "comments"]) => {
            let id = 600 + i64::try_from(world.comments.len()).unwrap();
            let comment = json!({"id": id, "user": who, "body": text, "html_url": "https://h/demo/hello/pull/1#c"});
            world.comments.push(comment.clone());
            said(201, comment)
        }
        ("POST", ["pulls", "1", "comments", "501", "replies"]) => {
            let mut reply = line(502, text, Some(501));
            reply["user"] = who;
            world.lines.push(reply.clone());
            said(201, reply)
        }
        ("POST", ["pulls", "1", "reviews"]) if who["login"] == "terabot" => {
            let error = "Review Can not approve your own pull request";
            said(422, json!({"message": "Unprocessable Entity", "errors": [error]}))
        }
        ("POST", ["pulls", "1", "reviews"]) => {
            let review = json!({
                "id": 9, "user": who, "state": "APPROVED", "body": text, "commit_id": body["commit_id"],
                "submitted_at": "2026-11-29T11:00:00Z",
            });
            world.reviews.push(review.clone());
            said(200, review)
        }
        ("PUT", ["pulls", "1", "merge"]) => merge(world, body),
        _ => said(404, json!({"message": "Not Found"})),
    }
}

fn merge(world: &mut World, body: &Value) -> Response {
    if world.moves_at_merge {
        world.head = NEXT_HEAD;
    }
    if body["sha"] != world.head {
        return said(409, json!({"message": "Head branch was modified. Review and try the merge again."}));
    }
    if world.mergeable_state != "clean" {
        return said(405, json!({"message": "Pull Request is not mergeable"}));
    }
    (world.merged, world.state) = (true, "closed");
    said(200, json!({"sha": "abc", "merged": true}))
}

fn pull(world: &World) -> Value {
    json!({
        "number": 1, "html_url": "https://h/demo/hello/pull/1", "title": "Say hello", "body": "Says hello.<!-- hidden -->",
        "state": world.state, "draft": false, "merged": world.merged, "updated_at": "2026-11-29T10:00:00Z",
        "user": {"id": 99, "login": "terabot", "type": "User"},
        "head": {"ref": "say-hello", "sha": world.head, "repo": {"full_name": "demo/hello"}},
        "base": {"ref": "main", "sha": "0", "repo": {"full_name": "demo/hello"}},
        "mergeable": world.mergeable_state == "clean", "mergeable_state": world.mergeable_state,
    })
}

fn said(status: u16, body: Value) -> Response {
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}
