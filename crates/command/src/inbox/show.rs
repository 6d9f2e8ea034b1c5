//! `terarchitect inbox show`.

use super::what;
use crate::app::App;
use crate::exit;
use crate::text;
use chrono::Utc;
use serde_json::{Map, Value};
use terarchitect_client::{Checkpoint, InboxItem};

pub(super) fn show(app: &App, item: &InboxItem) -> anyhow::Result<u8> {
    if app.out.json {
        app.out.document(item)?;
        return Ok(exit::DONE);
    }
    app.out.line(&text::line(&item.title))?;
    let (word, tone) = what(item);
    app.out.line(&format!("  what          {}", app.out.paint(&text::line(word), tone)))?;
    let expires = item.checkpoint.as_ref().and_then(|checkpoint| checkpoint.expires_at);
    let facts = [
        ("project", item.project_name.clone()),
        ("ticket", item.ticket_id.to_string()),
        ("checkpoint", item.checkpoint.as_ref().map(|checkpoint| checkpoint.id.to_string()).unwrap_or_default()),
        ("since", text::ago(item.since)),
        (
            "expires",
            expires.map(|at| format!("in {}", text::span((at - Utc::now()).num_seconds()))).unwrap_or_default(),
        ),
        ("pull request", item.pr_url.clone().unwrap_or_default()),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        app.out.line(&format!("  {name:<13} {}", text::line(value)))?;
    }
    indented(app, "", &item.sentence)?;
    if let Some(checkpoint) = &item.checkpoint {
        for (title, body) in parts(checkpoint) {
            indented(app, &title, &body)?;
        }
        let advice = "Decide with `terarchitect inbox approve` or `terarchitect inbox reject`; --answer and --reason take words.";
        app.out.note(advice);
    }
    Ok(exit::DONE)
}

/// A text under its title, after an empty line.
fn indented(app: &App, title: &str, body: &str) -> anyhow::Result<()> {
    app.out.line("")?;
    let indent = if title.is_empty() { "  " } else { "    " };
    if !title.is_empty() {
        app.out.line(&format!("  {}", text::line(title)))?;
    }
    for line in text::block(body.trim_end()).lines() {
        app.out.line(&format!("{indent}{line}"))?;
    }
    Ok(())
}

/// What a checkpoint is about: texts as texts, files as files, the rest as JSON.
fn parts(checkpoint: &Checkpoint) -> Vec<(String, String)> {
    let Value::Object(data) = &checkpoint.data else {
        let nothing = checkpoint.data.is_null();
        return if nothing { Vec::new() } else { vec![("data".to_owned(), pretty(&checkpoint.data))] };
    };
    let mut parts = Vec::new();
    let mut rest = Map::new();
    for (name, value) in data {
        match value {
            Value::Array(files) if name == "files" => parts.extend(files.iter().map(file)),
            Value::Object(files) if name == "files" => {
                parts.extend(files.iter().map(|(path, content)| (path.clone(), pretty(content))));
            }
            Value::String(text) => parts.push((name.clone(), text.clone())),
            _ => {
                rest.insert(name.clone(), value.clone());
            }
        }
    }
    if !rest.is_empty() {
        parts.push(("more".to_owned(), pretty(&Value::Object(rest))));
    }
    parts
}

fn file(file: &Value) -> (String, String) {
    let text = |name: &str| file.get(name).and_then(Value::as_str);
    let path = text("path").or_else(|| text("name")).or_else(|| file.as_str()).unwrap_or("a file");
    let body = ["content", "text", "patch", "contentPreview"].into_iter().find_map(text);
    let body = match body {
        Some(body) => body.to_owned(),
        None if file.is_string() => String::new(),
        None => pretty(file),
    };
    (path.to_owned(), body)
}

fn pretty(value: &Value) -> String {
    // A value of JSON always becomes text.
    value.as_str().map_or_else(|| serde_json::to_string_pretty(value).unwrap_or_default(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(data: Value) -> Vec<(String, String)> {
        let checkpoint = json!({"id": "ab000000-0000-4000-8000-000000000001", "data": data});
        parts(&serde_json::from_value(checkpoint).unwrap())
    }

    fn part(title: &str, body: &str) -> (String, String) {
        (title.to_owned(), body.to_owned())
    }

    #[test]
    fn files_are_files_texts_are_texts_and_the_rest_is_json() {
        let data = json!({
            "files": [{"path": "a.rs", "contentPreview": "fn", "size": 2}, "b.rs", {"size": 3}],
            "plan": "1. Do it", "totalFiles": 3,
        });
        let expected =
            [part("a.rs", "fn"), part("b.rs", ""), part("a file", "{\n  \"size\": 3\n}"), part("plan", "1. Do it")];
        assert_eq!(shown(data)[..4], expected);
        assert_eq!(shown(json!({"files": {"in.json": {"a": 1}}})), [part("in.json", "{\n  \"a\": 1\n}")]);
    }

    #[test]
    fn nothing_is_shown_of_nothing_and_anything_else_as_json() {
        assert_eq!(shown(Value::Null), []);
        assert_eq!(shown(json!({})), []);
        assert_eq!(shown(json!([1])), [part("data", "[\n  1\n]")]);
    }
}
