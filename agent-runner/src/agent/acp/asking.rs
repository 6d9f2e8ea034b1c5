//! What an agent asks this side: permissions and questions. Where people answer, they are asked what the agent's mode does not
//! allow by itself; elsewhere each permission is given, since an unanswered one waits for ever, and no question is put.

use super::peer::Peer;
use crate::agent::Asked;
use serde_json::{Value, json};
use std::collections::HashSet;

/// Permissions that a person granted, with what for.
#[derive(Debug, Default)]
pub(super) struct Granted(HashSet<(String, Vec<String>)>);

impl Granted {
    pub(super) fn add(&mut self, permission: &str, patterns: &[String]) {
        self.0.insert((permission.to_owned(), patterns.to_vec()));
    }

    fn has(&self, permission: &str, patterns: &[String]) -> bool {
        self.0.contains(&(permission.to_owned(), patterns.to_vec()))
    }
}

/// Responds to a request of the agent. Returns what a person has to answer first: the turn is to be stopped then.
pub(super) fn answer(
    peer: &Peer,
    (id, method, params): (&Value, &str, &Value),
    may_ask: bool,
    granted: &Granted,
) -> Option<Asked> {
    match method {
        "session/request_permission" => {
            let (permission, patterns) = permission(params);
            if may_ask && !granted.has(&permission, &patterns) {
                peer.answer(id, &json!({ "outcome": { "outcome": "cancelled" } }));
                return Some(Asked::Permission { permission, patterns });
            }
            peer.answer(id, &allowing(&params["options"]));
            None
        }
        "elicitation/create" => {
            peer.answer(id, &json!({ "action": if may_ask { "cancel" } else { "decline" } }));
            may_ask.then(|| Asked::Question { text: question(params) })
        }
        other => {
            peer.refuse(id, other);
            None
        }
    }
}

/// What a permission is for: the tool's kind, and what it is called for.
fn permission(params: &Value) -> (String, Vec<String>) {
    let call = &params["toolCall"];
    let name = call.pointer("/_meta/claudeCode/toolName").or_else(|| call.get("kind")).and_then(Value::as_str);
    let title = call["title"].as_str().map(str::to_owned);
    (name.unwrap_or("permission").to_owned(), title.into_iter().collect())
}

/// The option that allows it, if there is one, once before for ever.
fn allowing(options: &Value) -> Value {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    let of_kind = |kind: &str| options.iter().find(|option| option["kind"] == kind);
    match of_kind("allow_once").or_else(|| of_kind("allow_always")) {
        Some(option) => json!({ "outcome": { "outcome": "selected", "optionId": option["optionId"] } }),
        None => json!({ "outcome": { "outcome": "cancelled" } }),
    }
}

/// A question with what can be chosen, as people read it.
fn question(params: &Value) -> String {
    let mut lines = vec![params["message"].as_str().unwrap_or("The agent asks something.").trim().to_owned()];
    for field in params["requestedSchema"]["properties"].as_object().into_iter().flat_map(|fields| fields.values()) {
        let text = |name: &str| field[name].as_str().map(str::trim).filter(|text| !text.is_empty());
        if let Some(text) = text("description").or_else(|| text("title"))
            && !lines[0].contains(text)
        {
            lines.push(text.to_owned());
        }
        let choices = [&field["oneOf"], &field["items"]["anyOf"], &field["enum"], &field["items"]["enum"]];
        for choice in choices.into_iter().filter_map(Value::as_array).flatten() {
            let name = choice["title"].as_str().or_else(|| choice["const"].as_str()).or_else(|| choice.as_str());
            let name = name.unwrap_or_default();
            match choice["description"].as_str().map(str::trim).filter(|text| !text.is_empty()) {
                Some(text) => lines.push(format!("- {name}: {text}")),
                None => lines.push(format!("- {name}")),
            }
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_that_allows_is_chosen() {
        let options = json!([{ "optionId": "no", "kind": "reject_once" }, { "optionId": "ever", "kind": "allow_always" },
            { "optionId": "yes", "kind": "allow_once" }]);
        assert_eq!(allowing(&options)["outcome"]["optionId"], "yes");
        assert_eq!(allowing(&json!([{ "optionId": "no", "kind": "reject_once" }]))["outcome"]["outcome"], "cancelled");
    }

    #[test]
    fn a_question_reads_with_what_can_be_chosen() {
        let asked = json!({ "message": "Which database?", "requestedSchema": { "properties": { "q": {
            "title": "Which database?", "oneOf": [{ "const": "a", "title": "Postgres", "description": "as elsewhere" },
            { "const": "b", "title": "SQLite" }] } } } });
        assert_eq!(question(&asked), "Which database?\n- Postgres: as elsewhere\n- SQLite");
    }
}
