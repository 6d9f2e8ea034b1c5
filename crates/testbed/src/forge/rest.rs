//! GitHub's REST calls for pull requests, as far as a runner uses them, in GitHub's shapes.

use super::{Answer, Comment, Pull, Shared, authorised, git_output, lock, read_body};
use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::HashMap;

/// What each response reports of a classic token.
const SCOPES: (&str, &str) = ("x-oauth-scopes", "repo");

pub(super) async fn respond(shared: &Shared, owner: &str, repo: &str, rest: &[&str], request: Request) -> Response {
    if let Some(fault) = take_fault(shared) {
        return refuse(fault, "a fault that a test asked for");
    }
    if let Some(answer) = Answer::take(&mut lock(&shared.faults).rest_answer) {
        return answer;
    }
    if let Some(response) = moved(shared, owner, repo, rest, &request) {
        return response;
    }
    if !authorised(shared, request.headers()) {
        return refuse(StatusCode::UNAUTHORIZED, "Bad credentials");
    }
    let bare = shared.root.join(owner).join(format!("{repo}.git"));
    if !bare.is_dir() {
        return refuse(StatusCode::NOT_FOUND, "Not Found");
    }
    let (parts, body) = request.into_parts();
    let query = parse_query(parts.uri.query().unwrap_or_default());
    let body = read_body(body).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    match (parts.method, rest) {
        (Method::GET, []) => {
            let permissions = json!({"admin": false, "push": true, "pull": true});
            let name = format!("{owner}/{repo}");
            let body =
                json!({"full_name": name, "default_branch": "main", "private": true, "permissions": permissions});
            ([SCOPES], Json(body)).into_response()
        }
        (Method::GET, ["pulls"]) => list(shared, owner, repo, &query),
        (Method::POST, ["pulls"]) => open(shared, owner, repo, &body),
        (Method::GET, ["pulls", number]) => {
            with_pull(shared, owner, repo, number, |pull| Json(shape(shared, &pull)).into_response())
        }
        (Method::GET, ["issues", number, "comments"]) => with_pull(shared, owner, repo, number, |pull| {
            Json(pull.comments.iter().map(shape_of_comment).collect::<Vec<_>>()).into_response()
        }),
        (Method::GET, ["collaborators", login, "permission"]) => {
            let writes = lock(&shared.writers).iter().any(|writer| writer == login);
            let permission = if writes { "write" } else { "read" };
            Json(json!({"permission": permission, "role_name": permission, "user": {"login": login}})).into_response()
        }
        (Method::GET, ["commits", _, "check-runs"]) => {
            Json(json!({"total_count": 0, "check_runs": []})).into_response()
        }
        (Method::GET, ["commits", _, "status"]) => Json(json!({"state": "pending", "statuses": []})).into_response(),
        (Method::POST, ["issues", number, "comments"]) => comment(shared, owner, repo, number, &body),
        _ => refuse(StatusCode::NOT_FOUND, "Not Found"),
    }
}

/// The account that the token belongs to.
pub(super) fn user(shared: &Shared, headers: &HeaderMap) -> Response {
    if !authorised(shared, headers) {
        return refuse(StatusCode::UNAUTHORIZED, "Bad credentials");
    }
    ([SCOPES], Json(bot())).into_response()
}

/// The old address is without the prefix that GitHub Enterprise Server has, the new one is with it.
fn moved(shared: &Shared, owner: &str, repo: &str, rest: &[&str], request: &Request) -> Option<Response> {
    let status = StatusCode::from_u16(lock(&shared.faults).rest_moved?).ok()?;
    let query = request.uri().query().unwrap_or_default();
    let location = format!("/api/v3/repos/{owner}/{repo}/{}?{query}", rest.join("/"));
    let is_old = !request.uri().path().starts_with("/api/v3/");
    is_old.then(|| (status, [("location", location)]).into_response())
}

fn take_fault(shared: &Shared) -> Option<StatusCode> {
    let mut faults = lock(&shared.faults);
    let (status, left) = faults.rest?;
    faults.rest = (left > 1).then_some((status, left - 1));
    StatusCode::from_u16(status).ok()
}

fn with_pull(shared: &Shared, owner: &str, repo: &str, number: &str, show: impl Fn(Pull) -> Response) -> Response {
    let found = number.parse().ok().and_then(|number| lock(&shared.pulls).find(owner, repo, number));
    found.map_or_else(|| refuse(StatusCode::NOT_FOUND, "Not Found"), show)
}

fn list(shared: &Shared, owner: &str, repo: &str, query: &HashMap<String, String>) -> Response {
    let head = query.get("head").map(|head| head.rsplit(':').next().unwrap_or_default().to_owned());
    let state = query.get("state").map_or("open", String::as_str);
    let pulls = lock(&shared.pulls).of(owner, repo);
    let fits =
        |pull: &&Pull| head.as_ref().is_none_or(|head| *head == pull.head) && (state == "all" || pull.state == state);
    Json(pulls.iter().filter(fits).map(|pull| shape(shared, pull)).collect::<Vec<_>>()).into_response()
}

fn open(shared: &Shared, owner: &str, repo: &str, body: &Value) -> Response {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let (head, base) = (text("head"), text("base"));
    let bare = shared.root.join(owner).join(format!("{repo}.git"));
    for (field, branch) in [("head", &head), ("base", &base)] {
        if git_output(&bare, &["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")]).is_err() {
            return invalid(&json!({"resource": "PullRequest", "field": field, "code": "invalid"}));
        }
    }
    let mut pulls = lock(&shared.pulls);
    if pulls.of(owner, repo).iter().any(|pull| pull.head == head && pull.state == "open") {
        let message = format!("A pull request already exists for {owner}:{head}.");
        return invalid(&json!({"resource": "PullRequest", "code": "custom", "message": message}));
    }
    let pull = Pull {
        owner: owner.to_owned(),
        repo: repo.to_owned(),
        number: 0,
        title: text("title"),
        body: text("body"),
        head,
        base,
        state: "open".to_owned(),
        comments: Vec::new(),
    };
    match pulls.add(pull) {
        Ok(pull) => (StatusCode::CREATED, Json(shape(shared, &pull))).into_response(),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}")),
    }
}

fn comment(shared: &Shared, owner: &str, repo: &str, number: &str, body: &Value) -> Response {
    let text = body["body"].as_str().unwrap_or_default().to_owned();
    let number = number.parse().unwrap_or_default();
    match lock(&shared.pulls).comment(owner, repo, number, text) {
        Ok(Some(comment)) => (StatusCode::CREATED, Json(shape_of_comment(&comment))).into_response(),
        Ok(None) => refuse(StatusCode::NOT_FOUND, "Not Found"),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}")),
    }
}

/// The account of the only token.
fn bot() -> Value {
    json!({"login": "terarchitect-bot", "id": 1, "type": "User"})
}

fn shape_of_comment(comment: &Comment) -> Value {
    json!({"id": comment.id, "body": comment.body, "user": bot()})
}

fn shape(shared: &Shared, pull: &Pull) -> Value {
    let Pull { owner, repo, number, .. } = pull;
    let bare = shared.root.join(owner).join(format!("{repo}.git"));
    let sha = git_output(&bare, &["rev-parse", &format!("refs/heads/{}", pull.head)]).unwrap_or_default();
    let address = lock(&shared.address).map(|address| address.to_string()).unwrap_or_default();
    json!({
        "number": number, "title": pull.title, "body": pull.body, "state": pull.state, "draft": false, "merged": false,
        "html_url": format!("http://{address}/{owner}/{repo}/pull/{number}"),
        "head": {"ref": pull.head, "sha": sha.trim(), "label": format!("{owner}:{}", pull.head)},
        "base": {"ref": pull.base},
    })
}

fn parse_query(query: &str) -> HashMap<String, String> {
    let decode = |text: &str| text.replace("%3A", ":").replace("%2F", "/").replace("%3a", ":").replace("%2f", "/");
    query.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (decode(k), decode(v))).collect()
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"message": message, "documentation_url": "", "status": status.as_str()}))).into_response()
}

fn invalid(error: &Value) -> Response {
    let body = json!({"message": "Validation Failed", "errors": [error], "status": "422"});
    (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
}
