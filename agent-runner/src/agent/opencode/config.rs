//! The configuration and the environment of a server that the runner starts. Pure: values in, values out.

use crate::agent::directories::Directories;
use crate::agent::environment::{Variables, environment as common_environment, secret_variables};
use crate::agent::{AgentOptions, ProjectConfig};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The id of the one provider in OpenCode's configuration.
pub(super) const PROVIDER_ID: &str = "worker";

/// The variable that carries the model's key, so that the configuration itself holds no secret.
const KEY_VARIABLE: &str = "TERARCHITECT_AGENT_MODEL_KEY";

/// How long the model's server may stay silent before its response begins, and between two parts of it. OpenCode then
/// retries, and says so in its events. A gateway in between gives up earlier, and says why.
const SILENCE_LIMIT: Duration = Duration::from_secs(420);

/// The configuration, as `OPENCODE_CONFIG_CONTENT` has it.
///
/// Where no person can answer, everything is either allowed or denied: what OpenCode asks about by default would block
/// forever. The model is named twice, since titles and summaries use the small one.
pub(in crate::agent) fn config(options: &AgentOptions, directories: &Directories) -> Value {
    let model = format!("{PROVIDER_ID}/{}", options.provider.model);
    let turn_ms = u64::try_from(options.turn_timeout.as_millis()).unwrap_or(u64::MAX);
    let silence_ms = turn_ms.min(u64::try_from(SILENCE_LIMIT.as_millis()).unwrap_or(u64::MAX));
    let mut provider = json!({
        "baseURL": options.provider.base_url.as_str(),
        "timeout": turn_ms,
        "headerTimeout": silence_ms,
        "chunkTimeout": silence_ms,
    });
    if options.provider.api_key.is_some() {
        provider["apiKey"] = json!(format!("{{env:{KEY_VARIABLE}}}"));
    }
    let limit = options
        .provider
        .limits
        .map_or_else(|| json!({}), |limits| json!({ "limit": { "context": limits.context, "output": limits.output } }));
    json!({
        "autoupdate": false,
        "share": "disabled",
        // The runner commits each turn; OpenCode's own snapshots would cost a hidden repository and time in each step.
        "snapshot": false,
        "model": model,
        "small_model": model,
        "enabled_providers": [PROVIDER_ID],
        "permission": {
            "*": "allow",
            "question": if options.may_ask { "allow" } else { "deny" },
            "doom_loop": "deny",
            "external_directory": external_directories(options, directories),
        },
        "provider": { PROVIDER_ID: {
            "npm": "@ai-sdk/openai-compatible",
            "name": "Worker",
            "options": provider,
            "models": { options.provider.model.as_str(): limit },
        } },
    })
}

/// Allows the temporary directories and those that the caller names; people are asked for others, or they are denied. The last
/// rule that matches counts.
fn external_directories(options: &AgentOptions, directories: &Directories) -> Value {
    let mut rules = serde_json::Map::new();
    rules.insert("*".to_owned(), json!(if options.may_ask { "ask" } else { "deny" }));
    let temporary = [Path::new("/tmp"), &directories.temporary];
    for directory in temporary.into_iter().chain(options.extra_directories.iter().map(PathBuf::as_path)) {
        rules.insert(format!("{}/*", directory.display()), json!("allow"));
    }
    Value::Object(rules)
}

/// The whole environment of the agent's process. `inherited` looks up the runner's own.
pub(super) fn environment(
    options: &AgentOptions,
    directories: &Directories,
    password: &SecretString,
    marker: &str,
    inherited: impl Fn(&str) -> Option<OsString>,
) -> Variables {
    let mut env = secret_variables(&options.secrets);
    env.extend(common_environment(directories, marker, inherited));
    let mut set = |name: &str, value: OsString| env.push((name.into(), value));
    for (name, value) in model_variables(options, &config(options, directories)) {
        set(name, value.into());
    }
    if options.project_config == ProjectConfig::Ignored {
        set("OPENCODE_DISABLE_PROJECT_CONFIG", "1".into());
    }
    set("OPENCODE_SERVER_PASSWORD", password.expose_secret().into());
    for (name, value) in &options.extra_env {
        set(name, value.into());
    }
    env
}

/// The variables with its configuration, the model's key, and what keeps it off the network.
pub(in crate::agent) fn model_variables(options: &AgentOptions, config: &Value) -> Vec<(&'static str, String)> {
    let mut variables: Vec<_> = fixed_variables().into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    variables.push(("OPENCODE_CONFIG_CONTENT", config.to_string()));
    if let Some(key) = &options.provider.api_key {
        variables.push((KEY_VARIABLE, json_escaped(key.expose_secret())));
    }
    variables
}

/// Keeps OpenCode off the network, except for the model.
fn fixed_variables() -> [(&'static str, &'static str); 6] {
    [
        ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
        ("OPENCODE_DISABLE_MODELS_FETCH", "1"),
        ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1"),
        ("OPENCODE_DISABLE_SHARE", "1"),
        ("OPENCODE_DISABLE_TERMINAL_TITLE", "1"),
        ("OPENCODE_DISABLE_EMBEDDED_WEB_UI", "1"),
    ]
}

/// OpenCode pastes the variable into the text of its configuration before it parses that, so a quote in a key would
/// break it.
fn json_escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Provider;

    fn options() -> AgentOptions {
        let provider = Provider {
            base_url: "http://model/v1".parse().unwrap(),
            model: "vendor/large".to_owned(),
            api_key: Some(SecretString::from("k\"ey")),
            limits: None,
        };
        AgentOptions::new("opencode".into(), "/workspace".into(), "/state".into(), provider)
    }

    fn value<'a>(env: &'a [(OsString, OsString)], name: &str) -> Option<&'a str> {
        env.iter().rev().find(|(key, _)| key == name).and_then(|(_, value)| value.to_str())
    }

    #[test]
    fn nothing_in_the_configuration_can_ask_a_person() {
        let options = options();
        let config = config(&options, &Directories::new(&options)).to_string();
        assert!(!config.contains("\"ask\""), "{config}");
        assert!(config.contains(r#""question":"deny""#), "{config}");
        assert!(config.contains(r#""model":"worker/vendor/large""#), "{config}");
    }

    #[test]
    fn where_people_answer_it_may_ask() {
        let options = AgentOptions { may_ask: true, ..options() };
        let config = config(&options, &Directories::new(&options));
        assert_eq!(config["permission"]["question"], "allow");
        assert_eq!(config["permission"]["external_directory"]["*"], "ask");
        assert_eq!(config["permission"]["external_directory"]["/tmp/*"], "allow");
    }

    #[test]
    fn the_key_travels_apart_from_the_configuration() {
        let options = options();
        let directories = Directories::new(&options);
        let config = config(&options, &directories).to_string();
        assert!(!config.contains("k\\\"ey"), "{config}");
        let env = environment(&options, &directories, &SecretString::from("pw"), "marker", |_| None);
        assert_eq!(value(&env, KEY_VARIABLE), Some("k\\\"ey"));
    }

    #[test]
    fn the_runners_secrets_do_not_pass_to_the_agent() {
        let options = options();
        let runner = |name: &str| Some(OsString::from(format!("value of {name}")));
        let env = environment(&options, &Directories::new(&options), &SecretString::from("pw"), "marker", runner);
        for secret in ["GITHUB_TOKEN", "TERARCHITECT_WORKER_API_KEY", "AGENT_API_KEY", "WORKER_API_KEY"] {
            assert_eq!(value(&env, secret), None, "{secret}");
        }
        assert_eq!(value(&env, "PATH"), Some("value of PATH"));
        assert_eq!(value(&env, "HOME"), Some("/state/home"));
    }

    #[test]
    fn a_secret_of_the_project_takes_no_other_variables_place() {
        let secrets = [("NPM_TOKEN", "hunter2hunter2"), ("HOME", "/elsewhere"), ("OPENCODE_CONFIG_CONTENT", "{}")];
        let secrets = secrets.map(|(name, value)| (name.to_owned(), SecretString::from(value)));
        let options = AgentOptions { secrets: secrets.into(), ..options() };
        let env = environment(&options, &Directories::new(&options), &SecretString::from("pw"), "marker", |_| None);
        assert_eq!(value(&env, "NPM_TOKEN"), Some("hunter2hunter2"));
        assert_eq!(value(&env, "HOME"), Some("/state/home"));
        assert_ne!(value(&env, "OPENCODE_CONFIG_CONTENT"), Some("{}"));
    }

    #[test]
    fn the_configuration_of_an_untrusted_repository_is_disabled() {
        let mut options = options();
        options.project_config = ProjectConfig::Ignored;
        let env = environment(&options, &Directories::new(&options), &SecretString::from("pw"), "marker", |_| None);
        assert_eq!(value(&env, "OPENCODE_DISABLE_PROJECT_CONFIG"), Some("1"));
    }
}
