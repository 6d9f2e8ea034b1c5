//! What the options mean. Two steps: what must be right before anything is touched, and what the API's settings add.

use crate::cli::{Command, Options};
use crate::worker::api_base;
use crate::worker::opencode::Provider;
use secrecy::SecretString;
use std::path::PathBuf;
use std::time::Duration;
use terarchitect_worker_api::client::reachable_as;
use terarchitect_worker_api::{ProjectId, TicketId, WorkerContext};
use url::Url;

/// Everything that is wrong with the configuration, a sentence each.
#[derive(Debug, thiserror::Error)]
#[error("{}", problems.join("\n"))]
pub struct ConfigError {
    /// The sentences.
    pub problems: Vec<String>,
}

impl ConfigError {
    /// One problem.
    #[must_use]
    pub fn one(problem: impl Into<String>) -> Self {
        Self { problems: vec![problem.into()] }
    }
}

/// What is known before the API was asked.
#[derive(Debug)]
pub struct Config {
    /// What to run.
    pub command: Command,
    /// The ticket.
    pub ticket: TicketId,
    /// The project.
    pub project: ProjectId,
    /// The API's address.
    pub api_url: String,
    /// The API's key.
    pub api_key: Option<SecretString>,
    /// Where to clone.
    pub workspace: Option<PathBuf>,
    /// The user to run the agent as.
    pub agent_user: Option<String>,
    /// What localhost is called here.
    pub host_alias: Option<String>,
}

/// What the API's settings and the environment say together.
#[derive(Debug)]
pub struct AgentConfig {
    /// The repository.
    pub repo_url: String,
    /// The forge's token.
    pub github_token: Option<SecretString>,
    /// GitHub's REST API, where it is set.
    pub github_api_url: Option<Url>,
    /// The worker's model.
    pub worker: Provider,
    /// How long one turn may take.
    pub turn_timeout: Duration,
    /// The Director's model; none when the worker works alone.
    pub director: Option<DirectorConfig>,
    /// How many execution turns there may be.
    pub max_turns: u32,
    /// An OpenCode server that runs already.
    pub opencode_server: Option<Url>,
    /// The author of commits: name and address.
    pub author: (String, String),
}

/// The Director's model.
#[derive(Debug)]
pub struct DirectorConfig {
    /// Its API.
    pub url: String,
    /// Its name.
    pub model: String,
    /// Its key.
    pub key: Option<SecretString>,
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn secret(text: &str) -> Option<SecretString> {
    given(text).map(|text| SecretString::from(text.to_owned()))
}

impl Config {
    /// Reads what must be right before anything is touched.
    ///
    /// # Errors
    /// Every variable that is missing or malformed, a sentence each.
    pub fn parse(command: Option<Command>, options: &Options) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut id = |name: &str, what: &str, text: &str| match given(text) {
            None => {
                problems.push(format!("{name} is not set; set it to the {what}'s id"));
                None
            }
            Some(text) => match text.parse::<uuid::Uuid>() {
                Ok(id) => Some(id),
                Err(_) => {
                    problems.push(format!("{name} is '{text}', which is no UUID; set it to the {what}'s id"));
                    None
                }
            },
        };
        let ticket = id("TICKET_ID", "ticket", &options.ticket_id).map(TicketId);
        let project = id("PROJECT_ID", "project", &options.project_id).map(ProjectId);
        let api_url = given(&options.api_url).unwrap_or_default().to_owned();
        if api_url.is_empty() {
            problems.push(
                "TERARCHITECT_API_URL is not set; set it to the API's address, such as http://localhost:5010".into(),
            );
        } else if !is_http(&api_url) {
            problems.push(format!(
                "TERARCHITECT_API_URL is '{api_url}', which is no address such as http://localhost:5010"
            ));
        }
        for (name, text) in [
            ("GITHUB_API_URL", &options.github_api_url),
            ("OPENCODE_SERVER_URL", &options.opencode_server_url),
            ("WORKER_LLM_URL", &options.worker_llm_url),
            ("AGENT_LLM_URL", &options.agent_llm_url),
        ] {
            if given(text).is_some_and(|text| !is_http(text)) {
                problems.push(format!(
                    "{name} is '{}', which is no address that starts with http:// or https://",
                    text.trim()
                ));
            }
        }
        for (name, text) in
            [("WORKER_TIMEOUT_SEC", &options.worker_timeout_sec), ("AGENT_MAX_TURNS", &options.agent_max_turns)]
        {
            if given(text).is_some_and(|text| text.parse::<u32>().map_or(true, |n| n == 0)) {
                problems.push(format!("{name} is '{}', which is no whole number above 0", text.trim()));
            }
        }
        if let Some(mode) = given(&options.worker_mode).filter(|mode| !mode.eq_ignore_ascii_case("opencode")) {
            problems.push(format!("WORKER_MODE is '{mode}'; this version has the worker 'opencode' alone"));
        }
        let command = command.or_else(|| match options.job_kind.trim() {
            "" | "ticket" => Some(Command::Ticket),
            "review" => Some(Command::Review),
            other => {
                problems.push(format!("JOB_KIND is '{other}'; set it to ticket or review"));
                None
            }
        });
        match (command, ticket, project) {
            (Some(command), Some(ticket), Some(project)) if problems.is_empty() => Ok(Self {
                command,
                ticket,
                project,
                api_url,
                api_key: secret(&options.worker_api_key),
                workspace: given(&options.workspace_dir).map(PathBuf::from),
                agent_user: given(&options.agent_user).map(str::to_owned),
                host_alias: given(&options.host_alias).map(str::to_owned),
            }),
            _ => Err(ConfigError { problems }),
        }
    }
}

impl AgentConfig {
    /// Puts the API's settings under the environment.
    ///
    /// # Errors
    /// Every setting that is missing or malformed, a sentence each.
    pub fn resolve(
        options: &mut Options,
        context: &WorkerContext,
        host_alias: Option<&str>,
    ) -> Result<Self, ConfigError> {
        for (name, value) in &context.agent_settings.0 {
            options.set(name, &aliased(value, host_alias));
        }
        if let Some(url) = context.repo_url.as_deref() {
            options.set("REPO_URL", &aliased(url, host_alias));
        }
        let mut problems = Vec::new();
        let mut need = |name: &str, text: &str| {
            if given(text).is_none() {
                problems.push(format!("{name} is not set; set it in the API's settings or in the environment"));
            }
            given(text).unwrap_or_default().to_owned()
        };
        let repo_url = need("REPO_URL", &options.repo_url);
        let (worker_url, worker_model) =
            (need("WORKER_LLM_URL", &options.worker_llm_url), need("WORKER_MODEL", &options.worker_model));
        if let Some(mode) = given(&options.worker_mode).filter(|mode| !mode.eq_ignore_ascii_case("opencode")) {
            problems.push(format!("WORKER_MODE is '{mode}'; this version has the worker 'opencode' alone"));
        }
        let number = |text: &str, default: u32| {
            given(text).and_then(|text| text.parse().ok()).filter(|n| *n > 0).unwrap_or(default)
        };
        let base_url = match api_base(&worker_url) {
            Ok(url) => Some(url),
            Err(_) if worker_url.is_empty() => None,
            Err(error) => {
                problems.push(format!("WORKER_LLM_URL: {error}"));
                None
            }
        };
        let Some(base_url) = base_url.filter(|_| problems.is_empty()) else { return Err(ConfigError { problems }) };
        let worker_key = secret(&options.worker_llm_key);
        let worker = Provider { base_url, model: worker_model.clone(), api_key: worker_key.clone(), limits: None };
        let named = [&options.agent_llm_url, &options.agent_model, &options.agent_llm_key];
        let director = named.iter().any(|text| given(text).is_some()).then(|| DirectorConfig {
            url: given(&options.agent_llm_url).unwrap_or(&worker_url).to_owned(),
            model: given(&options.agent_model).unwrap_or(&worker_model).to_owned(),
            key: secret(&options.agent_llm_key).or(worker_key),
        });
        Ok(Self {
            repo_url,
            github_token: secret(&options.github_token),
            github_api_url: given(&options.github_api_url).and_then(|url| url.parse().ok()),
            worker,
            turn_timeout: Duration::from_secs(number(&options.worker_timeout_sec, 3600).into()),
            director,
            max_turns: number(&options.agent_max_turns, 50),
            opencode_server: given(&options.opencode_server_url).and_then(|url| url.parse().ok()),
            author: (
                given(&options.git_user_name).unwrap_or("Terarchitect").to_owned(),
                given(&options.git_user_email).unwrap_or("terarchitect@localhost").to_owned(),
            ),
        })
    }
}

fn is_http(text: &str) -> bool {
    text.parse::<Url>().is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// A setting's value as it must be in here: what the API's machine calls localhost has another name in a container.
fn aliased(value: &str, host_alias: Option<&str>) -> String {
    host_alias.map_or_else(|| value.to_owned(), |host| reachable_as(value, host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    #[test]
    fn every_mistake_is_told_at_once() {
        let cli = Cli::parse_from([
            "agent-runner",
            "ticket",
            "--ticket-id",
            "7",
            "--project-id",
            "",
            "--api-url",
            "localhost:5010",
            "--worker-timeout-sec",
            "soon",
            "--worker-mode",
            "other",
            "--github-api-url",
            "x",
        ]);
        let error = Config::parse(cli.command, &cli.options).unwrap_err();
        let text = error.to_string();
        for name in
            ["TICKET_ID", "PROJECT_ID", "TERARCHITECT_API_URL", "WORKER_TIMEOUT_SEC", "WORKER_MODE", "GITHUB_API_URL"]
        {
            assert!(text.contains(name), "{name}: {text}");
        }
        assert_eq!(error.problems.len(), 6, "{text}");
    }

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
