//! Agents of the catalogue: which program works, with which model, and what it is told.

pub mod repos;

use crate::domain::checkpoints::policy;
use crate::domain::refusal::Refusal;
use crate::domain::words::words;
use crate::domain::{present, text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use terarchitect_worker_api::Stop;
use utoipa::ToSchema;

/// The longest slug, in bytes.
const MAX_SLUG_BYTES: usize = 100;
/// The largest free JSON of one field, in bytes.
pub const MAX_JSON_BYTES: usize = 64 * 1024;

words! {
    /// Which program works.
    pub enum Program "agent program" {
        /// OpenCode, in a container.
        OpenCode = "opencode",
        /// OpenCode over the Agent Client Protocol, in a container.
        OpenCodeAcp = "opencode-acp",
        /// Claude Code, in a container.
        Claude = "claude",
        /// Codex, in a container.
        Codex = "codex",
        /// Gemini CLI, in a container.
        Gemini = "gemini",
        /// Qwen Code, in a container.
        Qwen = "qwen",
        /// Kimi Code, in a container.
        Kimi = "kimi",
        /// Copilot CLI, in a container.
        Copilot = "copilot",
        /// The command line that the coordinator's `AGENT_COMMAND` names, in a container.
        Command = "command",
        /// Cursor, in its own cloud.
        Cursor = "cursor",
    }
}

words! {
    /// Who may claim a job.
    pub enum RunsOn "place of a job" {
        /// Coordinators, for a container.
        Container = "container",
        /// What launches agents in a cloud.
        Cloud = "cloud",
    }
}

words! {
    /// How an agent is doing.
    pub enum AgentStatus "agent status" {
        /// It has sent events of late.
        Active = "active",
        /// Its last session has ended.
        Idle = "idle",
        /// It was silent for ten minutes, or has never sent anything.
        Offline = "offline",
        /// Its last session failed.
        Error = "error",
    }
}

impl Program {
    /// Where its jobs run.
    #[must_use]
    pub const fn runs_on(self) -> RunsOn {
        match self {
            Self::Cursor => RunsOn::Cloud,
            _ => RunsOn::Container,
        }
    }
}

/// What an agent is made of, or changed to.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct AgentFields {
    /// What programs call it; unique.
    pub slug: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Which program works.
    pub program: Program,
    /// The model that it works with; none: the usual one.
    pub model: Option<String>,
    /// The name of the credential that it works with; none: the usual one.
    pub credential: Option<String>,
    /// What it is told in each prompt.
    pub system_prompt: Option<String>,
    /// Settings that its clients keep here.
    pub default_config: Value,
    /// Whom to tell what, as its clients keep it here.
    pub notification_config: Value,
    /// Where its jobs stop for a person.
    pub checkpoints: Vec<Stop>,
}

/// A new agent, or changes to one; absent fields stay as they are.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = AgentBody)]
pub struct AgentChanges {
    /// What people call it; required for a new one.
    pub name: Option<String>,
    /// What programs call it; unique; made of the name if absent.
    pub slug: Option<String>,
    /// What it is for.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<String>>,
    /// Which program works; `opencode` if absent.
    pub program: Option<Program>,
    /// The same as `program`.
    pub r#type: Option<Program>,
    /// The model that it works with.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub model: Option<Option<String>>,
    /// The name of the credential that it works with.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub credential: Option<Option<String>>,
    /// What it is told in each prompt.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub system_prompt: Option<Option<String>>,
    /// Settings that clients keep here: an object.
    #[schema(value_type = Option<Object>)]
    pub default_config: Option<Value>,
    /// Whom to tell what, as clients keep it here: an object.
    #[schema(value_type = Option<Object>)]
    pub notification_config: Option<Value>,
    /// Where its jobs stop for a person, each stage once: `start`, `plan`, `diff`, `output`, `question`. It takes the place of what was set
    /// before; jobs that are there already keep what they were made with.
    pub checkpoints: Option<Vec<Stop>>,
    /// How it is doing, as it says itself.
    pub status: Option<AgentStatus>,
}

impl AgentChanges {
    /// The fields of a new agent.
    ///
    /// # Errors
    /// When the name is missing, or a field is not valid.
    pub fn into_new(self) -> Result<AgentFields, Refusal> {
        let name = text::title("name", self.name.as_deref().unwrap_or_default())?;
        let slug = match self.slug.as_deref().map(str::trim).filter(|slug| !slug.is_empty()) {
            Some(_) => String::new(),
            None => slug_of(&name),
        };
        self.over(AgentFields {
            slug,
            name,
            description: None,
            program: Program::OpenCode,
            model: None,
            credential: None,
            system_prompt: None,
            default_config: json!({}),
            notification_config: json!({}),
            checkpoints: Vec::new(),
        })
    }

    /// The fields after these changes.
    ///
    /// # Errors
    /// When a field is not valid.
    pub fn over(self, now: AgentFields) -> Result<AgentFields, Refusal> {
        let program = match (self.program, self.r#type) {
            (Some(program), Some(same)) if program != same => {
                return Err(Refusal::invalid("'type' and 'program' mean the same; send one of them."));
            }
            (program, same) => program.or(same).unwrap_or(now.program),
        };
        let short = |field, new: Option<Option<String>>, now| match new {
            Some(new) => new.filter(|text| !text.trim().is_empty()).map(|text| text::title(field, &text)).transpose(),
            None => Ok(now),
        };
        let long = |field, new: Option<Option<String>>, now| match new {
            Some(new) => new.map(|text| text::long_text(field, text)).transpose(),
            None => Ok(now),
        };
        Ok(AgentFields {
            slug: self.slug.map_or(Ok(now.slug), |slug| checked_slug(&slug))?,
            name: self.name.map_or(Ok(now.name), |name| text::title("name", &name))?,
            description: long("description", self.description, now.description)?,
            program,
            model: short("model", self.model, now.model)?,
            credential: short("credential", self.credential, now.credential)?,
            system_prompt: long("system_prompt", self.system_prompt, now.system_prompt)?,
            default_config: self.default_config.map_or(Ok(now.default_config), |v| object("default_config", v))?,
            notification_config: self
                .notification_config
                .map_or(Ok(now.notification_config), |value| object("notification_config", value))?,
            checkpoints: policy::checked(self.checkpoints.unwrap_or(now.checkpoints), program)?,
        })
    }
}

/// A free JSON object: not too large. Null is an empty one.
///
/// # Errors
/// A sentence that names the field.
pub fn object(field: &str, value: Value) -> Result<Value, Refusal> {
    match value {
        Value::Null => Ok(json!({})),
        Value::Object(fields) if Value::Object(fields.clone()).to_string().len() <= MAX_JSON_BYTES => {
            Ok(Value::Object(fields))
        }
        Value::Object(_) => Err(Refusal::invalid(format!("'{field}' is larger than {} KiB.", MAX_JSON_BYTES / 1024))),
        _ => Err(Refusal::invalid(format!("'{field}' must be a JSON object."))),
    }
}

fn checked_slug(slug: &str) -> Result<String, Refusal> {
    let slug = slug.trim();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if slug.is_empty() || slug.len() > MAX_SLUG_BYTES || !slug.bytes().all(plain) {
        return Err(Refusal::invalid(
            "'slug' must be a short word of a-z, 0-9, '-', '_' and '.', such as code-generation.",
        ));
    }
    Ok(slug.to_owned())
}

/// A name as a slug: what is neither a letter nor a digit becomes a dash.
fn slug_of(name: &str) -> String {
    let dashed: String = name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let words: Vec<&str> = dashed.split('-').filter(|word| !word.is_empty()).collect();
    let slug: String = words.join("-").chars().take(MAX_SLUG_BYTES).collect();
    if slug.is_empty() { "agent".to_owned() } else { slug }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(value: Value) -> AgentChanges {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_new_agent_needs_a_name_alone() {
        let fields = body(json!({"name": " Refactor Bot! "})).into_new().unwrap();
        assert_eq!((fields.name.as_str(), fields.slug.as_str()), ("Refactor Bot!", "refactor-bot"));
        assert_eq!((fields.program, fields.default_config), (Program::OpenCode, json!({})));
        assert_eq!(body(json!({"name": "é"})).into_new().unwrap().slug, "agent");
        assert!(body(json!({})).into_new().is_err());
    }

    #[test]
    fn type_is_another_name_of_program() {
        let made = body(json!({"name": "c", "type": "cursor"})).into_new().unwrap();
        assert_eq!((made.program, made.program.runs_on()), (Program::Cursor, RunsOn::Cloud));
        assert!(body(json!({"name": "c", "type": "cursor", "program": "opencode"})).into_new().is_err());
    }

    #[test]
    fn null_clears_and_what_is_absent_stays() {
        let now = body(json!({"name": "a", "model": "m", "system_prompt": "Be brief."})).into_new().unwrap();
        let then = body(json!({"model": null, "slug": "b"})).over(now.clone()).unwrap();
        assert_eq!((then.model, then.slug.as_str(), then.system_prompt), (None, "b", now.system_prompt.clone()));
        let plan = json!({"checkpoints": [{"stage": "plan", "type": "approval_required"}]});
        let now = body(plan).over(now).unwrap();
        assert_eq!(body(json!({"name": "b"})).over(now.clone()).unwrap().checkpoints, now.checkpoints);
        assert!(body(json!({"program": "cursor"})).over(now.clone()).is_err(), "its plan would not be seen");
        assert!(body(json!({"program": "cursor", "checkpoints": []})).over(now.clone()).is_ok());
        for wrong in [json!({"slug": "A B"}), json!({"default_config": [1]}), json!({"name": " "})] {
            assert!(body(wrong.clone()).over(now.clone()).is_err(), "{wrong}");
        }
    }
}
