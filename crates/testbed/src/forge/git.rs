//! Git over HTTP, by the real git's own CGI program.

use super::Dialect;
use super::bare::git_command;
use super::faults::Answer;
use super::model::Permission;
use super::server::{Shared, account_of, lock, read_body};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::process::Stdio;
use tokio::io::AsyncWriteExt;

pub(super) async fn serve(shared: &Shared, owner: &str, name: &str, rest: &str, request: Request) -> Response {
    if let Some(offered) = request.headers().get("authorization") {
        lock(&shared.offered).push(String::from_utf8_lossy(offered.as_bytes()).into_owned());
    }
    if let Some(answer) = Answer::take(&mut lock(&shared.faults).first_answer) {
        return answer;
    }
    let renamed = lock(&shared.faults).renamed;
    if let Some((_, new)) = renamed.filter(|(old, _)| *old == name) {
        let query = request.uri().query().unwrap_or_default();
        let location = format!("/{owner}/{new}.git/{rest}?{query}");
        return (StatusCode::MOVED_PERMANENTLY, [("location", location)]).into_response();
    }
    // Gitea takes a token as the password alone.
    let is_basic = request.headers().get("authorization").is_some_and(|value| value.as_bytes().starts_with(b"Basic "));
    let who =
        account_of(&lock(&shared.state), request.headers()).filter(|_| is_basic || shared.dialect != Dialect::Gitea);
    let Some(who) = who else {
        let ask = [("www-authenticate", "Basic realm=\"forge\"")];
        return (StatusCode::UNAUTHORIZED, ask, "a token is needed").into_response();
    };
    let plain = |word: &str| !word.is_empty() && !word.starts_with('.') && !word.contains("..");
    let known = plain(owner) && plain(name) && shared.root.join(owner).join(format!("{name}.git")).is_dir();
    if !known {
        return (StatusCode::NOT_FOUND, "no such repository").into_response();
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let pushes = rest == "git-receive-pack" || query.contains("git-receive-pack");
    let answer = {
        let mut faults = lock(&shared.faults);
        let faults = &mut *faults;
        let push = if pushes { Answer::take(&mut faults.push_answer) } else { None };
        push.or_else(|| Answer::take(&mut faults.git_answer))
    };
    if let Some(answer) = answer {
        return answer;
    }
    if pushes && (lock(&shared.faults).refuse_pushes || who.permission < Permission::Write) {
        return (StatusCode::FORBIDDEN, "pushes are refused").into_response();
    }
    match run_backend(shared, &format!("/{owner}/{name}.git/{rest}"), &query, request).await {
        Ok(response) => {
            if rest == "git-receive-pack" {
                shared.act(|state| {
                    if let Some(at) = state.repo_at(owner, name) {
                        state.notice(at, who.id);
                    }
                });
            }
            response
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response(),
    }
}

async fn run_backend(shared: &Shared, path: &str, query: &str, request: Request) -> anyhow::Result<Response> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut command = git_command(&shared.root);
    command.arg("http-backend").env("GIT_PROJECT_ROOT", &shared.root).env("GIT_HTTP_EXPORT_ALL", "1");
    command.env("REQUEST_METHOD", parts.method.as_str()).env("PATH_INFO", path).env("QUERY_STRING", query);
    command.env("REMOTE_USER", "x-access-token").env("REMOTE_ADDR", "127.0.0.1");
    command.env("CONTENT_TYPE", header("content-type")).env("GIT_PROTOCOL", header("git-protocol"));
    command.env("HTTP_CONTENT_ENCODING", header("content-encoding"));
    let body = read_body(body).await.unwrap_or_default();
    command.env("CONTENT_LENGTH", body.len().to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    let stdin = child.stdin.take();
    let feed = async move {
        if let Some(mut stdin) = stdin {
            // It may close its input once it has read enough; its response says whether that was an error.
            let _ = stdin.write_all(&body).await;
        }
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), feed);
    Ok(from_cgi(&output?.stdout))
}

/// Headers, an empty line, the body; `Status:` is the status.
fn from_cgi(output: &[u8]) -> Response {
    let Some(end) = output.windows(4).position(|window| window == b"\r\n\r\n") else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "git http-backend returned nothing").into_response();
    };
    let mut response = Response::new(Body::from(output[end + 4..].to_vec()));
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().and_then(|code| code.parse::<u16>().ok());
            *response.status_mut() = code.and_then(|c| StatusCode::from_u16(c).ok()).unwrap_or(StatusCode::BAD_GATEWAY);
        } else if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
