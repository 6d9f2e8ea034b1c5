//! Whether the testbed's forge answers as the forges publish it: each answer's status and body against the schema of its
//! call. Checked for every forge that a test of the seam has talked to.

mod gitlab;
mod value;

use serde_json::Value;
use std::sync::LazyLock;
use terarchitect_testbed::forge::{Dialect, Exchange, Forge};

static GITHUB: LazyLock<Value> = LazyLock::new(|| read(include_str!("../../schemas/github.json")));
static FORGEJO: LazyLock<Value> = LazyLock::new(|| read(include_str!("../../schemas/forgejo.json")));

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Everything in a forge's answers that its schema does not have.
pub(crate) fn odd_answers(forge: &Forge) -> Vec<String> {
    forge.exchanges().iter().flat_map(|exchange| odd(forge.dialect(), exchange)).collect()
}

fn odd(dialect: Dialect, exchange: &Exchange) -> Vec<String> {
    match dialect {
        Dialect::GitHub => by_schema(&GITHUB, &["/api/v3"], exchange, false),
        // Gitea has replies, and Forgejo, whose schema this is, has not.
        Dialect::Gitea if exchange.path.ends_with("/replies") && exchange.status == 201 => {
            let check = value::Check { types: &FORGEJO["types"], null_is_missing: true };
            check.odd(&FORGEJO["types"]["PullReviewComment"], &read(&exchange.body), "a reply")
        }
        // Go writes null for what is missing, and its schema's older form has no word for that.
        Dialect::Gitea => by_schema(&FORGEJO, &["/api/v1"], exchange, true),
        Dialect::GitLab => gitlab::odd(exchange),
    }
}

/// What is so although the schema does not say it.
fn is_known(call: &str, exchange: &Exchange) -> bool {
    let Exchange { status, body, .. } = exchange;
    match (call, *status) {
        // What has not changed, where a response was kept with its entity tag: of few calls the list has it.
        (call, 304) => call.starts_with("GET ") && body.is_empty(),
        // Any call can get these, and no call's list has them.
        (_, 401) => body.contains("message"),
        ("GET /user" | "GET /meta" | "POST /graphql", _) => call != "GET /user",
        // Gitea asks for permissions before it looks at a call.
        (_, 403) => exchange.path.starts_with("/api/v1") && body.contains("message"),
        // Seen at a real Gitea: what a version does not have is plain text, and a conflict is git's own output.
        (_, 404) => exchange.path.starts_with("/api/v1") && body == "404 page not found\n",
        (call, 409) if call.ends_with("/merge") => exchange.path.starts_with("/api/v1") && body.contains("\"StdErr\""),
        (call, 500) if call.ends_with("/update") => body.contains("up to date"),
        _ => false,
    }
}

fn by_schema(schema: &Value, prefixes: &[&str], exchange: &Exchange, null_is_missing: bool) -> Vec<String> {
    let path = prefixes.iter().find_map(|prefix| exchange.path.strip_prefix(prefix)).unwrap_or(&exchange.path);
    let what = format!("{} {path} {}", exchange.method, exchange.status);
    if is_known(&format!("{} {path}", exchange.method), exchange) || path.ends_with("/graphql") || path == "/meta" {
        return Vec::new();
    }
    let calls = schema["calls"].as_object().unwrap();
    let fits = |call: &&String| {
        call.split_once(' ').is_some_and(|(method, form)| method == exchange.method && has_form(path, form))
    };
    // The one with the most words of its own: `comments/{id}` before `{id}/comments`.
    let call = calls.keys().filter(fits).min_by_key(|call| call.matches('{').count());
    let Some(call) = call else {
        // What the forge does not have is the forge's own 404.
        let is_missing = exchange.status == 404;
        return if is_missing { Vec::new() } else { vec![format!("{what}: the schema has no such call")] };
    };
    let answers = &calls[call];
    let Some(answer) = answers.get(exchange.status.to_string()) else {
        // What a token may not see is not found, whatever it is.
        let is_hidden = exchange.status == 404 && exchange.body.contains("Not Found");
        return if is_hidden {
            Vec::new()
        } else {
            vec![format!("{what}: the schema has no such status: {}", exchange.body)]
        };
    };
    if answer.is_null() {
        // Gitea's 405 has a body that the schema does not describe.
        let may_speak = exchange.body.is_empty() || exchange.status >= 400;
        return if may_speak {
            Vec::new()
        } else {
            vec![format!("{what}: there should be no body: {}", exchange.body)]
        };
    }
    let body = serde_json::Deserializer::from_str(&exchange.body).into_iter::<Value>().next();
    let Some(Ok(body)) = body else { return vec![format!("{what}: no JSON: {}", exchange.body)] };
    let found = value::Check { types: &schema["types"], null_is_missing }.odd(answer, &body, "");
    found.into_iter().map(|odd| format!("{what} {odd}")).collect()
}

/// Whether a path has the form of a template; the last variable may hold slashes.
fn has_form(path: &str, form: &str) -> bool {
    let (mut path, mut form) =
        (path.trim_matches('/').split('/').peekable(), form.trim_matches('/').split('/').peekable());
    while let Some(part) = form.next() {
        let Some(word) = path.next() else { return false };
        let is_variable = part.starts_with('{');
        if !is_variable && part != word {
            return false;
        }
        if is_variable && form.peek().is_none() && matches!(part, "{ref}" | "{branch}") {
            return true;
        }
    }
    path.next().is_none()
}

#[test]
fn a_field_that_is_missing_made_up_or_of_another_type_is_found() {
    let answer = |body: Value| Exchange {
        method: "PUT".into(),
        path: "/repos/o/r/pulls/1/merge".into(),
        status: 200,
        body: body.to_string(),
    };
    let right = serde_json::json!({"sha": "a", "merged": true, "message": "Pull Request successfully merged"});
    assert_eq!(odd(Dialect::GitHub, &answer(right.clone())), [""; 0]);
    for (field, value) in [("sha", Value::Null), ("merged", "yes".into()), ("made_up", 1.into())] {
        let mut wrong = right.clone();
        wrong[field] = value;
        assert_eq!(odd(Dialect::GitHub, &answer(wrong)).len(), 1, "{field}");
    }
    let teapot = Exchange { status: 418, ..answer(right) };
    assert_eq!(odd(Dialect::GitHub, &teapot).len(), 1);
}
