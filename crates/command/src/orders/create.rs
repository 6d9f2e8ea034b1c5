//! `terarchitect orders create`.

use crate::app::App;
use crate::cli::CreateOptions;
use crate::exit::{self, not_found, usage};
use crate::text;
use anyhow::Context;
use serde_json::{Map, Value, json};

/// What divides a line from what must hold when it is done.
const DONE_WHEN: &str = " :: ";

pub(super) async fn create(app: &App, options: CreateOptions) -> anyhow::Result<u8> {
    let mut order = fields_of(&options)?;
    if let Some(wanted) = &options.agent {
        order.insert("agent_id".to_owned(), json!(agent(app, wanted).await?));
    }
    if !order.contains_key("repo_id") || app.common.project.is_some() {
        order.insert("repo_id".to_owned(), json!(app.project(None).await?.id));
    }
    let order = Value::Object(order);
    if options.preview {
        let prompt = app.client.preview_order(&order).await?;
        if app.out.json {
            app.out.document(&json!({"prompt": prompt}))?;
        } else {
            app.out.line(text::block(&prompt).trim_end())?;
        }
        return Ok(exit::DONE);
    }
    let made = app.client.create_order(&order).await?;
    if app.out.json {
        app.out.document(&made)?;
    } else {
        app.out.line(&made.work_order_id.to_string())?;
    }
    match &made.launch_error {
        Some(why) => {
            app.out.note(&format!("It is made, but not launched: {why}"));
            Ok(exit::FAILED)
        }
        None => Ok(exit::DONE),
    }
}

/// What the command line and the file say.
fn fields_of(options: &CreateOptions) -> anyhow::Result<Map<String, Value>> {
    let mut order = match &options.file {
        None => Map::new(),
        Some(file) => {
            let text = match file.as_os_str() == "-" {
                true => text::stdin()?,
                false => std::fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?,
            };
            let read: Result<Map<String, Value>, _> = serde_json::from_str(&text);
            read.map_err(|error| usage(format!("--file must hold a JSON object with fields of a work order: {error}")))?
        }
    };
    let mut set = |name: &str, value: Value| order.insert(name.to_owned(), value);
    if let Some(objective) = &options.objective {
        set("objective", json!(objective));
    }
    if !options.lines.is_empty() {
        set("lines", options.lines.iter().map(|line| as_line(line)).collect());
    }
    if let Some(branch) = &options.branch {
        set("branch_name", json!(branch));
    }
    if options.local {
        set("source", json!("local"));
    }
    if let Some(command) = &options.test_command {
        let verification = order.entry("verification").or_insert_with(|| json!({}));
        match verification.as_object_mut() {
            Some(fields) => fields.insert("test_command".to_owned(), json!(command)),
            None => return Err(usage("'verification' in --file must be an object")),
        };
    }
    Ok(order)
}

fn as_line(text: &str) -> Value {
    match text.split_once(DONE_WHEN) {
        Some((title, done)) => json!({"title": title.trim(), "definition_of_done": done.trim()}),
        None => json!({"title": text.trim()}),
    }
}

/// The agent with this name, slug or id.
async fn agent(app: &App, wanted: &str) -> anyhow::Result<uuid::Uuid> {
    let all = app.client.catalogue().await?;
    let found = all.iter().find(|agent| {
        agent.slug.eq_ignore_ascii_case(wanted)
            || agent.name.eq_ignore_ascii_case(wanted)
            || agent.id.to_string().eq_ignore_ascii_case(wanted)
    });
    found.map(|agent| agent.id).ok_or_else(|| {
        let names: Vec<String> = all.iter().map(|agent| text::line(&agent.slug)).collect();
        not_found(format!("there is no agent '{}'; there are: {}", text::line(wanted), names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_say_when_it_is_done() {
        assert_eq!(
            as_line("Greet :: hello.sh says hello"),
            json!({"title": "Greet", "definition_of_done": "hello.sh says hello"})
        );
        assert_eq!(as_line(" use std::fs "), json!({"title": "use std::fs"}));
    }
}
