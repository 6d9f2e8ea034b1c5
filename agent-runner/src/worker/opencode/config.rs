//! The configuration and the environment of a server that we start. Pure: values in, values out.

use super::options::{OpenCodeOptions, ProjectConfig};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The id of our one provider in OpenCode's configuration.
pub(super) const PROVIDER_ID: &str = "worker";

/// The variable that carries the model's key, so that the configuration itself holds no secret.
const KEY_VARIABLE: &str = "TERARCHITECT_AGENT_MODEL_KEY";

/// The variable that marks every process of one agent, so that the last of them is found.
pub(super) const MARKER_VARIABLE: &str = "TERARCHITECT_AGENT_RUN";

/// How long the model's server may stay silent before its answer begins, and between two parts of it. OpenCode then
/// asks again, visibly.
const SILENCE_LIMIT: Duration = Duration::from_secs(300);

/// What passes from the runner's environment to the agent: nothing that holds a secret of ours.
const PASSED_ON: &[&str] = &[
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
];

/// The directories that the agent's process calls its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directories {
    pub(super) home: PathBuf,
    pub(super) config: PathBuf,
    pub(super) data: PathBuf,
    pub(super) state: PathBuf,
    pub(super) cache: PathBuf,
    pub(super) temporary: PathBuf,
}

impl Directories {
    /// Below the state directory, except for the home of another user.
    pub(super) fn new(options: &OpenCodeOptions) -> Self {
        let below = |name: &str| options.state_dir.join(name);
        Self {
            home: options.run_as.as_ref().map_or_else(|| below("home"), |user| user.home.clone()),
            config: below("config"),
            data: below("data"),
            state: below("state"),
            cache: below("cache"),
            temporary: below("tmp"),
        }
    }

    /// All that must exist before the start.
    pub(super) fn all(&self) -> [&Path; 6] {
        [&self.home, &self.config, &self.data, &self.state, &self.cache, &self.temporary]
    }
}

/// The content of `OPENCODE_CONFIG_CONTENT`.
///
/// Nobody answers the agent's questions, so everything is either allowed or denied: what OpenCode would ask about
/// by default blocks for ever. The model has to be named twice, since titles and summaries use the small one.
pub(super) fn config(options: &OpenCodeOptions, directories: &Directories) -> Value {
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
        // We commit each turn ourselves; its own snapshots would cost a hidden repository and time in each step.
        "snapshot": false,
        "model": model,
        "small_model": model,
        "enabled_providers": [PROVIDER_ID],
        "permission": {
            "*": "allow",
            "question": "deny",
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

/// Denies all but the temporary directories and those that the caller names. The last rule that matches counts.
fn external_directories(options: &OpenCodeOptions, directories: &Directories) -> Value {
    let mut rules = serde_json::Map::new();
    rules.insert("*".to_owned(), json!("deny"));
    let temporary = [Path::new("/tmp"), &directories.temporary];
    for directory in temporary.into_iter().chain(options.extra_directories.iter().map(PathBuf::as_path)) {
        rules.insert(format!("{}/*", directory.display()), json!("allow"));
    }
    Value::Object(rules)
}

/// The whole environment of the agent's process. `inherited` looks up the runner's own.
pub(super) fn environment(
    options: &OpenCodeOptions,
    directories: &Directories,
    password: &SecretString,
    marker: &str,
    inherited: impl Fn(&str) -> Option<OsString>,
) -> Vec<(OsString, OsString)> {
    let mut env: Vec<(OsString, OsString)> =
        PASSED_ON.iter().filter_map(|name| Some(((*name).into(), inherited(name)?))).collect();
    let mut set = |name: &str, value: OsString| env.push((name.into(), value));
    set("HOME", directories.home.clone().into());
    set("XDG_CONFIG_HOME", directories.config.clone().into());
    set("XDG_DATA_HOME", directories.data.clone().into());
    set("XDG_STATE_HOME", directories.state.clone().into());
    set("XDG_CACHE_HOME", directories.cache.clone().into());
    set("TMPDIR", directories.temporary.clone().into());
    for (name, value) in fixed_variables() {
        set(name, value.into());
    }
    if options.project_config == ProjectConfig::Ignored {
        set("OPENCODE_DISABLE_PROJECT_CONFIG", "1".into());
    }
    set("OPENCODE_CONFIG_CONTENT", config(options, directories).to_string().into());
    set("OPENCODE_SERVER_PASSWORD", password.expose_secret().into());
    if let Some(key) = &options.provider.api_key {
        set(KEY_VARIABLE, json_escaped(key.expose_secret()).into());
    }
    set(MARKER_VARIABLE, marker.into());
    for (name, value) in &options.extra_env {
        set(name, value.into());
    }
    env
}

/// Keeps OpenCode off the network where it can be, and git from asking anybody.
fn fixed_variables() -> [(&'static str, &'static str); 12] {
    [
        ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
        ("OPENCODE_DISABLE_MODELS_FETCH", "1"),
        ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1"),
        ("OPENCODE_DISABLE_SHARE", "1"),
        ("OPENCODE_DISABLE_TERMINAL_TITLE", "1"),
        ("OPENCODE_DISABLE_EMBEDDED_WEB_UI", "1"),
        // The clone belongs to the runner's user, which git distrusts by default.
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "safe.directory"),
        ("GIT_CONFIG_VALUE_0", "*"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_PAGER", "cat"),
        ("PAGER", "cat"),
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
    use crate::worker::opencode::Provider;

    fn options() -> OpenCodeOptions {
        let provider = Provider {
            base_url: "http://model/v1".parse().unwrap(),
            model: "vendor/large".to_owned(),
            api_key: Some(SecretString::from("k\"ey")),
            limits: None,
        };
        OpenCodeOptions::new("/workspace".into(), "/state".into(), provider)
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
    fn the_key_travels_apart_from_the_configuration() {
        let options = options();
        let directories = Directories::new(&options);
        let config = config(&options, &directories).to_string();
        assert!(!config.contains("k\\\"ey"), "{config}");
        let env = environment(&options, &directories, &SecretString::from("pw"), "run", |_| None);
        assert_eq!(value(&env, KEY_VARIABLE), Some("k\\\"ey"));
    }

    #[test]
    fn the_runners_secrets_do_not_pass_to_the_agent() {
        let options = options();
        let runner = |name: &str| Some(OsString::from(format!("value of {name}")));
        let env = environment(&options, &Directories::new(&options), &SecretString::from("pw"), "run", runner);
        for secret in ["GITHUB_TOKEN", "TERARCHITECT_WORKER_API_KEY", "AGENT_API_KEY", "WORKER_API_KEY"] {
            assert_eq!(value(&env, secret), None, "{secret}");
        }
        assert_eq!(value(&env, "PATH"), Some("value of PATH"));
        assert_eq!(value(&env, "HOME"), Some("/state/home"));
    }

    #[test]
    fn a_repository_whose_configuration_is_not_trusted_is_not_heard() {
        let mut options = options();
        options.project_config = ProjectConfig::Ignored;
        let env = environment(&options, &Directories::new(&options), &SecretString::from("pw"), "run", |_| None);
        assert_eq!(value(&env, "OPENCODE_DISABLE_PROJECT_CONFIG"), Some("1"));
    }
}
