//! Which settings there are, which of them are secret, and what a value must look like.

use crate::domain::refusal::Refusal;
use serde_json::Value;
use std::collections::BTreeMap;
use terarchitect_worker_api::Prices;

/// The setting that guards the worker endpoints; takes precedence over the environment variable of the same name.
pub const WORKER_API_KEY: &str = "TERARCHITECT_WORKER_API_KEY";
/// The forge's token, handed to runners as `GITHUB_TOKEN`.
pub const GITHUB_AGENT_TOKEN: &str = "github_agent_token";
/// How many agents a coordinator runs at once.
pub const MAX_CONCURRENT_AGENTS: &str = "MAX_CONCURRENT_AGENTS";

/// Where embeddings of what is known come from.
pub const EMBEDDING_SERVICE_URL: &str = "EMBEDDING_SERVICE_URL";
/// The key for that.
pub const EMBEDDING_API_KEY: &str = "EMBEDDING_API_KEY";
/// The model there.
pub const EMBEDDING_MODEL: &str = "EMBEDDING_MODEL";

/// What models cost.
pub const MODEL_PRICES: &str = "MODEL_PRICES";

/// What a setting's value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Text,
    Url,
    /// A whole number in this range.
    Number(u64, u64),
    OneOf(&'static [&'static str]),
    /// What models cost.
    Prices,
}

/// A setting that the application knows.
#[derive(Clone, Copy, Debug)]
struct Spec {
    name: &'static str,
    secret: bool,
    shape: Shape,
    /// The name under which runners get it, if they do.
    agent_name: Option<&'static str>,
}

const fn text(name: &'static str, agent_name: Option<&'static str>) -> Spec {
    Spec { name, secret: false, shape: Shape::Text, agent_name }
}

const fn secret(name: &'static str, agent_name: Option<&'static str>) -> Spec {
    Spec { name, secret: true, shape: Shape::Text, agent_name }
}

const fn shaped(name: &'static str, shape: Shape, agent_name: Option<&'static str>) -> Spec {
    Spec { name, secret: false, shape, agent_name }
}

const BOOLEAN: Shape = Shape::OneOf(&["0", "1", "true", "false"]);

const SPECS: &[Spec] = &[
    secret(GITHUB_AGENT_TOKEN, Some("GITHUB_TOKEN")),
    secret("openai_api_key", Some("OPENAI_API_KEY")),
    secret("anthropic_api_key", Some("ANTHROPIC_API_KEY")),
    text("AGENT_PROVIDER", Some("AGENT_PROVIDER")),
    shaped("AGENT_LLM_URL", Shape::Url, Some("AGENT_LLM_URL")),
    text("AGENT_MODEL", Some("AGENT_MODEL")),
    secret("AGENT_API_KEY", Some("AGENT_API_KEY")),
    text("WORKER_MODE", Some("WORKER_MODE")),
    shaped("WORKER_LLM_URL", Shape::Url, Some("WORKER_LLM_URL")),
    text("WORKER_MODEL", Some("WORKER_MODEL")),
    secret("WORKER_API_KEY", Some("WORKER_API_KEY")),
    shaped("WORKER_TIMEOUT_SEC", Shape::Number(1, 604_800), Some("WORKER_TIMEOUT_SEC")),
    shaped(MODEL_PRICES, Shape::Prices, None),
    text("EMBEDDING_PROVIDER", None),
    shaped(EMBEDDING_SERVICE_URL, Shape::Url, None),
    secret(EMBEDDING_API_KEY, None),
    text(EMBEDDING_MODEL, None),
    shaped("FRONTEND_LLM_URL", Shape::Url, None),
    text("FRONTEND_LLM_MODEL", None),
    secret("FRONTEND_LLM_API_KEY", None),
    shaped(MAX_CONCURRENT_AGENTS, Shape::Number(1, 10_000), None),
    secret(WORKER_API_KEY, None),
    text("GIT_USER_NAME", Some("GIT_USER_NAME")),
    text("GIT_USER_EMAIL", Some("GIT_USER_EMAIL")),
    shaped("MIDDLE_AGENT_DEBUG", BOOLEAN, Some("MIDDLE_AGENT_DEBUG")),
];

/// Prefixes of the settings that the application stores for other programs: any name that begins with one of them.
const FAMILIES: &[&str] = &["MEMORY_", "FRONTEND_LLM_"];

/// The longest value, in bytes.
const MAX_VALUE_BYTES: usize = 16 * 1024;

/// The names of all settings that have a fixed name, in the order in which they are shown.
pub fn names() -> impl Iterator<Item = &'static str> {
    SPECS.iter().map(|spec| spec.name)
}

/// Whether the setting is secret: stored encrypted, and shown only as set or not.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    match find(name) {
        Some(spec) => spec.secret,
        None => terarchitect_outbound::is_secret_name(name),
    }
}

/// The name under which runners get the setting, if they do.
#[must_use]
pub fn agent_name(name: &str) -> Option<&'static str> {
    find(name).and_then(|spec| spec.agent_name)
}

fn find(name: &str) -> Option<&'static Spec> {
    SPECS.iter().find(|spec| spec.name == name)
}

/// What a request does to one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Store this value.
    Set(String),
    /// Delete the value.
    Clear,
}

/// Checks a request that changes settings, whole, before anything is stored. `null` leaves a setting as it is; so does
/// a boolean for a secret, since that is how secrets are shown, and front ends send back what they were shown.
///
/// # Errors
/// For the first name or value that is not valid.
pub fn parse_changes(body: BTreeMap<String, Value>) -> Result<BTreeMap<String, Change>, Refusal> {
    let mut changes = BTreeMap::new();
    for (name, value) in body {
        let known = find(&name).is_some() || FAMILIES.iter().any(|family| is_of_family(&name, family));
        if !known {
            let shown: String = name.chars().take(80).collect();
            return Err(Refusal::invalid(format!("There is no setting '{shown}'; GET /api/settings lists them.")));
        }
        let value = match value {
            Value::Null => continue,
            Value::Bool(_) if is_secret(&name) => continue,
            Value::Bool(on) => on.to_string(),
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.trim().to_owned(),
            Value::Array(_) | Value::Object(_) => {
                return Err(Refusal::invalid(format!("The setting '{name}' must be a text, not a list or object.")));
            }
        };
        let change = if value.is_empty() { Change::Clear } else { Change::Set(checked(&name, value)?) };
        changes.insert(name, change);
    }
    Ok(changes)
}

fn is_of_family(name: &str, family: &str) -> bool {
    name.len() <= 100
        && name.strip_prefix(family).is_some_and(|rest| {
            !rest.is_empty()
                && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        })
}

fn checked(name: &str, value: String) -> Result<String, Refusal> {
    if value.len() > MAX_VALUE_BYTES || value.chars().any(char::is_control) {
        return Err(Refusal::invalid(format!("The setting '{name}' is too long or contains line breaks.")));
    }
    match find(name).map_or(Shape::Text, |spec| spec.shape) {
        Shape::Text => Ok(value),
        Shape::Url => match value.parse::<url::Url>() {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(value),
            _ => Err(Refusal::invalid(format!(
                "The setting '{name}' must be an address that starts with http:// or https://."
            ))),
        },
        Shape::Number(low, high) => match value.parse::<u64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(value),
            _ => Err(Refusal::invalid(format!("The setting '{name}' must be a whole number from {low} to {high}."))),
        },
        Shape::Prices => match Prices::parse(&value) {
            Ok(_) => Ok(value),
            Err(problem) => Err(Refusal::invalid(format!("The setting '{name}' {problem}."))),
        },
        Shape::OneOf(words) if words.contains(&value.as_str()) => Ok(value),
        Shape::OneOf(words) => {
            Err(Refusal::invalid(format!("The setting '{name}' must be one of: {}.", words.join(", "))))
        }
    }
}

/// A setting that is missing, and why it matters.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct MissingSetting {
    /// The setting.
    pub key: &'static str,
    /// What people call it.
    pub label: &'static str,
    /// Why it is needed.
    pub reason: &'static str,
}

/// Whether a ticket can be worked on with these settings.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Readiness {
    /// Whether nothing that is required is missing.
    pub ready: bool,
    /// What is missing.
    pub missing_required: Vec<MissingSetting>,
    /// What should be checked.
    pub warnings: Vec<String>,
}

/// Checks the settings; `is_set` returns whether a setting has a value, and `mode` is that of `WORKER_MODE`.
#[must_use]
pub fn readiness(mode: Option<&str>, is_set: impl Fn(&str) -> bool) -> Readiness {
    // Agents in a cloud have a model there.
    let in_cloud = mode.is_some_and(|mode| mode.trim().eq_ignore_ascii_case("cursor"));
    let required = [
        ("WORKER_LLM_URL", "Worker model address", "OpenCode calls the language model at this address."),
        ("WORKER_MODEL", "Worker model", "OpenCode uses this model."),
    ];
    let missing_required: Vec<_> = required
        .into_iter()
        .filter(|(key, ..)| !in_cloud && !is_set(key))
        .map(|(key, label, reason)| MissingSetting { key, label, reason })
        .collect();
    let warned = [
        ("WORKER_API_KEY", "WORKER_API_KEY is not set: the coding agent's model is called without a key."),
        (
            GITHUB_AGENT_TOKEN,
            "github_agent_token is not set: set it, or set GITHUB_TOKEN on every coordinator. Otherwise only public repositories can be cloned, and no pull request can be opened.",
        ),
        (
            WORKER_API_KEY,
            "TERARCHITECT_WORKER_API_KEY is not set: the worker endpoints accept requests from the API's own machine only.",
        ),
    ];
    let mut warnings: Vec<_> = warned
        .into_iter()
        .filter(|(key, _)| !is_set(key) && (!in_cloud || *key != "WORKER_API_KEY"))
        .map(|(_, warning)| warning.to_owned())
        .collect();
    if in_cloud {
        warnings.push("WORKER_MODE is cursor: set CURSOR_API_KEY on every coordinator.".to_owned());
    }
    if !["AGENT_LLM_URL", "AGENT_MODEL", "AGENT_API_KEY"].into_iter().any(is_set) {
        warnings.push(
            "No Director is configured (AGENT_MODEL is not set): the coding agent works alone, without plan review."
                .to_owned(),
        );
    }
    Readiness { ready: missing_required.is_empty(), missing_required, warnings }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::refusal::ErrorCode;
    use serde_json::json;

    fn parse(body: Value) -> Result<BTreeMap<String, Change>, ErrorCode> {
        let Value::Object(fields) = body else { panic!("a test body is an object") };
        parse_changes(fields.into_iter().collect()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn what_was_shown_can_be_sent_back_unchanged() {
        let changes = parse(json!({"AGENT_API_KEY": true, "WORKER_API_KEY": false, "AGENT_MODEL": null})).unwrap();
        assert!(changes.is_empty());
    }

    #[test]
    fn an_empty_text_clears_and_numbers_are_taken_as_text() {
        let changes = parse(json!({"AGENT_API_KEY": "", "WORKER_TIMEOUT_SEC": 60, "MEMORY_SAVE_DIR": "x"})).unwrap();
        assert_eq!(changes["AGENT_API_KEY"], Change::Clear);
        assert_eq!(changes["WORKER_TIMEOUT_SEC"], Change::Set("60".into()));
        assert_eq!(changes["MEMORY_SAVE_DIR"], Change::Set("x".into()));
    }

    #[test]
    fn unknown_names_and_wrong_values_are_refused() {
        for body in [
            json!({"NOPE": "x"}),
            json!({"MEMORY_": "x"}),
            json!({"WORKER_LLM_URL": "localhost"}),
            json!({"WORKER_TIMEOUT_SEC": "soon"}),
            json!({"MAX_CONCURRENT_AGENTS": 0}),
            json!({"AGENT_MODEL": ["a"]}),
            json!({"AGENT_MODEL": "a\nb"}),
        ] {
            assert_eq!(parse(body.clone()), Err(ErrorCode::InvalidField), "{body}");
        }
    }

    #[test]
    fn an_agent_in_a_cloud_needs_no_model() {
        let without = |mode| readiness(mode, |name| name == "AGENT_MODEL");
        assert!(!without(None).ready && !without(Some("opencode")).ready);
        let cursor = without(Some("Cursor"));
        assert!(cursor.ready);
        assert!(cursor.warnings.iter().any(|warning| warning.contains("CURSOR_API_KEY")), "{:?}", cursor.warnings);
        assert!(cursor.warnings.iter().all(|warning| !warning.contains("model is called")), "{:?}", cursor.warnings);
    }

    #[test]
    fn everything_that_holds_a_key_or_token_is_secret() {
        for name in names() {
            let holds_one = name.to_ascii_uppercase().contains("KEY") || name.to_ascii_uppercase().contains("TOKEN");
            assert_eq!(is_secret(name), holds_one, "{name}");
        }
        assert!(is_secret("MEMORY_LLM_API_KEY"));
        assert!(!is_secret("MEMORY_SAVE_DIR"));
    }
}
