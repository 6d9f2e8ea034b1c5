//! A page to read a pull request, for people who follow the link.

use super::server::{Shared, lock};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

pub(super) fn show(shared: &Shared, owner: &str, name: &str, number: &str) -> Response {
    let mut state = lock(&shared.state);
    let at = state.repo_at(owner, name);
    let found = at.and_then(|at| Some((at, state.pull(at, number.parse().ok()?).ok()?.clone())));
    let Some((at, pull)) = found else { return (StatusCode::NOT_FOUND, "no such pull request").into_response() };
    let files = state.bare(at).files(&pull.base, &pull.head_sha);
    let diff: String = files.iter().map(|file| format!("{}\n{}", file.path, file.diff)).collect();
    let said = pull.comments.iter().chain(pull.threads.iter().flat_map(|thread| &thread.comments));
    let said: String = said
        .map(|comment| {
            format!("<p><b>{}</b><pre>{}</pre>", escape(&state.who(comment.author).login), escape(&comment.body))
        })
        .collect();
    Html(format!(
        "<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1><p>{owner}/{name} #{number}, {state}: \
         {head} into {base}</p><pre>{body}</pre>{said}<h2>Change</h2><pre>{diff}</pre>",
        title = escape(&pull.title),
        number = pull.number,
        state = if pull.is_merged() { "merged" } else { &pull.state },
        head = escape(&pull.head),
        base = escape(&pull.base),
        body = escape(&pull.body),
        diff = escape(&diff),
    ))
    .into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
