//! What a scripted model replies to which request. The JSON form is the same as these types.

use super::{ChatRequest, text_of};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};

/// Rules in order; the first that fits gives the reply.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The rules.
    pub rules: Vec<Rule>,
}

/// What to reply, and when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// When the rule fits.
    #[serde(default)]
    pub when: When,
    /// The reply.
    pub reply: Reply,
    /// How often it may be used within one conversation; unset means always.
    #[serde(default)]
    pub times: Option<u32>,
}

/// When a rule fits: all that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// The model, exactly.
    pub model: Option<String>,
    /// In the last user message.
    pub contains: Option<String>,
    /// In a system message.
    pub system_contains: Option<String>,
    /// In any message.
    pub any_contains: Option<String>,
    /// Whether the last message is a tool's result.
    pub after_tool: Option<bool>,
}

/// The reply of a rule: text and tool calls, or a fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reply {
    /// What the model says. `{{cwd}}` is replaced by the working directory that the request names.
    pub text: String,
    /// The tools that it calls.
    pub tools: Vec<ToolCall>,
    /// Wait this long first.
    pub delay_ms: u64,
    /// Wait until `POST …/release/<name>` names this, however long that takes.
    pub hold: Option<String>,
    /// Respond with this HTTP status instead.
    pub status: Option<u16>,
    /// Begin to stream, then send nothing more until the client disconnects.
    pub stall: bool,
    /// Begin to stream, then cut the connection.
    pub cut: bool,
}

/// A tool call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// Its arguments; `{{cwd}}` is replaced in their texts.
    pub arguments: Map<String, Value>,
}

/// How often each rule was used in each conversation.
pub(super) type Progress = HashMap<(usize, String), u32>;

impl Rule {
    /// Replies `text` to a model's request whose last user message contains `contains`.
    #[must_use]
    pub fn text(model: &str, contains: &str, text: &str) -> Self {
        let when = When { model: Some(model.into()), contains: Some(contains.into()), ..When::default() };
        Self { when, reply: Reply { text: text.into(), ..Reply::default() }, times: None }
    }
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// When it is not a valid script; the error says where.
    pub fn parse(json: &str) -> anyhow::Result<Self> {
        serde_json::from_str(json).context("this is not a valid script for the scripted model")
    }

    /// The script of the demonstration: it greets people by name, whatever the ticket says.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn demo() -> Self {
        Self::parse(include_str!("../../scripts/demo.json")).expect("the built-in script is read by a test")
    }

    /// Every model that a rule names.
    pub(super) fn models(&self) -> BTreeSet<String> {
        self.rules.iter().filter_map(|rule| rule.when.model.clone()).collect()
    }

    pub(super) fn reply_to(&self, request: &ChatRequest, progress: &mut Progress) -> Option<Reply> {
        for (index, rule) in self.rules.iter().enumerate() {
            if !rule.when.fits(request) {
                continue;
            }
            let used = progress.entry((index, request.conversation.clone())).or_default();
            if rule.times.is_none_or(|times| *used < times) {
                *used += 1;
                return Some(rule.reply.clone().in_directory(&working_directory(request)));
            }
        }
        asks_for_title(request).then(|| Reply { text: "A scripted conversation".to_owned(), ..Reply::default() })
    }
}

impl When {
    fn fits(&self, request: &ChatRequest) -> bool {
        let holds = |wanted: &Option<String>, found: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(found);
        let any = |role: Option<&str>, text: &str| {
            request.messages().iter().any(|m| role.is_none_or(|role| m["role"] == role) && text_of(m).contains(text))
        };
        holds(&self.model, &|model| request.model() == model)
            && holds(&self.contains, &|text| request.last("user").contains(text))
            && holds(&self.system_contains, &|text| any(Some("system"), text))
            && holds(&self.any_contains, &|text| any(None, text))
            && self.after_tool.is_none_or(|wanted| after_tool(request) == wanted)
    }
}

fn after_tool(request: &ChatRequest) -> bool {
    request.messages().last().is_some_and(|message| message["role"] == "tool")
}

/// OpenCode asks its small model for a title of the conversation; no script needs to care.
fn asks_for_title(request: &ChatRequest) -> bool {
    request.messages().iter().any(|m| m["role"] == "system" && text_of(m).to_lowercase().contains("title generator"))
}

/// The directory that OpenCode and Claude Code name in their system prompts. A conversation that goes on elsewhere names both
/// places, the newer one last.
fn working_directory(request: &ChatRequest) -> String {
    let named = request.messages().iter().rev().find_map(|message| {
        let text = text_of(message);
        let (_, rest) = text.rsplit_once("orking directory: ")?;
        rest.lines().next().map(|line| line.trim().to_owned())
    });
    named.unwrap_or_else(|| ".".to_owned())
}

impl Reply {
    fn in_directory(mut self, cwd: &str) -> Self {
        self.text = self.text.replace("{{cwd}}", cwd);
        for tool in &mut self.tools {
            for value in tool.arguments.values_mut() {
                if let Value::String(text) = value {
                    *text = text.replace("{{cwd}}", cwd);
                }
            }
        }
        self
    }
}

/// The error for a request that no rule fits.
pub(super) fn unmatched(request: &ChatRequest) -> String {
    let last: String = request.last("user").chars().take(300).collect();
    let after = if after_tool(request) { ", after a tool's result" } else { "" };
    format!("the script has no reply for the model {:?}{after}; the last user message begins: {last}", request.model())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Wire;
    use serde_json::json;

    fn request(model: &str, messages: Value) -> ChatRequest {
        let body = json!({"model": model, "messages": messages});
        ChatRequest { body, wire: Wire::Chat, key: None, conversation: "c".into() }
    }

    #[test]
    fn the_demo_script_is_one() {
        assert!(Script::demo().models().contains("scripted-coder"));
    }

    #[test]
    fn rules_fit_in_order_and_wear_out_by_conversation() {
        let mut first = Rule::text("m", "hi", "one");
        first.times = Some(1);
        let script = Script { rules: vec![first, Rule::text("m", "hi", "two {{cwd}}")] };
        let mut progress = Progress::default();
        let asked = request(
            "m",
            json!([{"role": "system", "content": "Working directory: /w\nx"}, {"role": "user", "content": [{"type": "text", "text": "hi"}]}]),
        );
        assert_eq!(script.reply_to(&asked, &mut progress).map(|reply| reply.text), Some("one".into()));
        assert_eq!(script.reply_to(&asked, &mut progress).map(|reply| reply.text), Some("two /w".into()));
        let other = ChatRequest { conversation: "d".into(), ..asked };
        assert_eq!(script.reply_to(&other, &mut progress).map(|reply| reply.text), Some("one".into()));
        assert_eq!(script.reply_to(&request("n", json!([])), &mut progress), None);
    }
}
