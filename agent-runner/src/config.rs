//! What the options mean, in two steps: [`Config`] is checked before anything is done, and [`AgentConfig`] adds the
//! settings from the API.

use crate::agent::{AgentKind, Provider};
use crate::cli::{Command, Options};
use crate::git::TokenHome;
use crate::review::ReviewOrder;
use secrecy::SecretString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use terarchitect_cursor::{Cursor, Version};
use terarchitect_forge::Kind;
use terarchitect_outbound::{api_base, http_url, reachable_as};
use terarchitect_worker_api::{AgentSettings, ProjectId, TicketId, WorkerContext};
use url::Url;

/// The project's cache volume, where the container has one.
pub const CACHE_DIR: &str = "/cache";

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

/// What is known before the first call to the API.
#[derive(Debug)]
pub struct Config {
    /// What reviewers say, which is what to work on; with none it is the ticket itself.
    pub review: Option<ReviewOrder>,
    /// The ticket.
    pub ticket: TicketId,
    /// The project.
    pub project: ProjectId,
    /// The job, where it is known.
    pub job: Option<uuid::Uuid>,
    /// The API's address.
    pub api_url: String,
    /// The API's key.
    pub api_key: Option<SecretString>,
    /// Where to clone.
    pub workspace: Option<PathBuf>,
    /// Where commits that could not be pushed wait; none where there is no place for them.
    pub unpushed_dir: Option<PathBuf>,
    /// The user to run the agent as.
    pub agent_user: Option<String>,
    /// The name of the API's localhost as seen from here.
    pub host_alias: Option<String>,
}

/// The API's settings and the environment combined.
#[derive(Debug)]
pub struct AgentConfig {
    /// The repository.
    pub repo_url: String,
    /// The forge's token.
    pub github_token: Option<SecretString>,
    /// The host that the token is for.
    pub token_home: TokenHome,
    /// GitHub's REST API, where it is set.
    pub github_api_url: Option<Url>,
    /// The kind of the repository's forge, where it is set for the project.
    pub forge_kind: Option<Kind>,
    /// The agent program, with what it works with.
    pub program: Program,
    /// How long one turn may take.
    pub turn_timeout: Duration,
    /// The Director's model; none when the agent works alone.
    pub director: Option<DirectorConfig>,
    /// How many execution turns there may be.
    pub max_turns: u32,
    /// An OpenCode server that is already running.
    pub opencode_server: Option<Url>,
    /// The author of commits: name and address.
    pub author: (String, String),
}

/// An agent program, with what it works with.
#[derive(Debug)]
pub enum Program {
    /// One that works on this machine, with this model.
    Here(AgentKind, Provider),
    /// Cursor's agents, with a model of its cloud.
    Cursor(CursorConfig),
}

/// Cursor's cloud.
#[derive(Debug)]
pub struct CursorConfig {
    /// Its API.
    pub api: Url,
    /// Which of its APIs is spoken.
    pub version: Version,
    /// The key.
    pub key: SecretString,
    /// The agents' model; Cursor's own choice where there is none.
    pub model: Option<String>,
    /// The shortest pause between two looks at an agent.
    pub look: Duration,
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

/// On the project's cache volume, where there is one, else in the user's cache directory.
fn default_unpushed_dir() -> Option<PathBuf> {
    if Path::new(CACHE_DIR).is_dir() {
        return Some(Path::new(CACHE_DIR).join(".terarchitect-unpushed"));
    }
    let directory = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = directory("XDG_CACHE_HOME").or_else(|| directory("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("terarchitect/unpushed"))
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn secret(text: &str) -> Option<SecretString> {
    given(text).map(|text| SecretString::from(text.to_owned()))
}

impl Config {
    /// Parses what must be valid before anything else is done.
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
                    problems.push(format!("{name} is '{text}', which is not a valid UUID; set it to the {what}'s id"));
                    None
                }
            },
        };
        let ticket = id("TICKET_ID", "ticket", &options.ticket_id).map(TicketId);
        let project = id("PROJECT_ID", "project", &options.project_id).map(ProjectId);
        let job = given(&options.job_id).and_then(|text| id("JOB_ID", "job", text));
        let api_url = given(&options.api_url).unwrap_or_default().to_owned();
        if api_url.is_empty() {
            problems.push(
                "TERARCHITECT_API_URL is not set; set it to the API's address, such as http://localhost:5010".into(),
            );
        } else if http_url(&api_url).is_err() {
            problems.push(format!(
                "TERARCHITECT_API_URL is '{api_url}', which is not a valid URL; set it to an address such as \
                 http://localhost:5010"
            ));
        }
        problems.extend(problems_of(options));
        let command = command.or_else(|| match options.job_kind.trim() {
            "" | "ticket" => Some(Command::Ticket),
            "review" => Some(Command::Review),
            other => {
                problems.push(format!("JOB_KIND is '{other}'; set it to ticket or review"));
                None
            }
        });
        let review = (command == Some(Command::Review)).then(|| {
            let given = (&options.comment_body, &options.pr_number, &options.github_comment_id);
            ReviewOrder::parse(given.0, given.1, given.2).map_err(|wrong| problems.extend(wrong)).ok()
        });
        match (ticket, project) {
            (Some(ticket), Some(project)) if problems.is_empty() => Ok(Self {
                review: review.flatten(),
                ticket,
                project,
                job,
                api_url,
                api_key: secret(&options.worker_api_key),
                workspace: given(&options.workspace_dir).map(PathBuf::from),
                unpushed_dir: given(&options.unpushed_dir).map(PathBuf::from).or_else(default_unpushed_dir),
                agent_user: given(&options.agent_user).map(str::to_owned),
                host_alias: given(&options.host_alias).map(str::to_owned),
            }),
            _ => Err(ConfigError { problems }),
        }
    }
}

impl AgentConfig {
    /// Completes the options with the API's settings; the options' own values win.
    ///
    /// # Errors
    /// Every setting that is missing or malformed, a sentence each.
    pub fn resolve(
        options: &mut Options,
        context: &WorkerContext,
        host_alias: Option<&str>,
    ) -> Result<Self, ConfigError> {
        let has_own_token = given(&options.github_token).is_some();
        for (name, value) in &context.agent_settings.0 {
            options.set(name, &aliased(value, host_alias));
        }
        if let Some(url) = context.repo_url.as_deref() {
            options.set("REPO_URL", &aliased(url, host_alias));
        }
        use_stored_token(options, &context.agent_settings, has_own_token, host_alias);
        let mut problems = Vec::new();
        let mut need = |name: &str, text: &str| {
            if given(text).is_none() {
                problems.push(format!("{name} is not set; set it in the API's settings or in the environment"));
            }
            given(text).unwrap_or_default().to_owned()
        };
        let repo_url = need("REPO_URL", &options.repo_url);
        let kind = agent_kind(options);
        let named = [&options.agent_llm_url, &options.agent_model, &options.agent_llm_key];
        let has_director = named.iter().any(|text| given(text).is_some());
        let own = |text: &str| given(text).unwrap_or_default().to_owned();
        let (agent_url, agent_model) = if kind == Ok(AgentKind::Cursor) {
            // The Director has its own, or that of other agents.
            for (name, text, other) in [
                ("AGENT_LLM_URL", &options.agent_llm_url, &options.worker_llm_url),
                ("AGENT_MODEL", &options.agent_model, &options.worker_model),
            ] {
                if has_director && given(other).is_none() {
                    need(name, text);
                }
            }
            (own(&options.worker_llm_url), own(&options.worker_model))
        } else {
            (need("WORKER_LLM_URL", &options.worker_llm_url), need("WORKER_MODEL", &options.worker_model))
        };
        let kind = kind.map_err(|problem| problems.push(problem)).unwrap_or_default();
        let number = |text: &str, default: u32| {
            given(text).and_then(|text| text.parse().ok()).filter(|n| *n > 0).unwrap_or(default)
        };
        let base_url = match api_base(&agent_url) {
            Ok(url) => Some(url),
            Err(_) if agent_url.is_empty() => None,
            Err(error) => {
                problems.push(format!("WORKER_LLM_URL: {error}"));
                None
            }
        };
        let agent_key = secret(&options.worker_llm_key);
        let program = match kind {
            AgentKind::Cursor => cursor(options).map(Program::Cursor).map_err(|wrong| problems.extend(wrong)).ok(),
            AgentKind::Command if given(&options.agent_command).is_none() => {
                let problem = "AGENT_COMMAND is not set; set it to the command line of the agent";
                problems.push(problem.to_owned());
                None
            }
            _ => base_url.map(|base_url| {
                let (model, api_key) = (agent_model.clone(), agent_key.clone());
                Program::Here(kind, Provider { base_url, model, api_key, limits: None })
            }),
        };
        let Some(program) = program.filter(|_| problems.is_empty()) else { return Err(ConfigError { problems }) };
        let director = has_director.then(|| DirectorConfig {
            url: given(&options.agent_llm_url).unwrap_or(&agent_url).to_owned(),
            model: given(&options.agent_model).unwrap_or(&agent_model).to_owned(),
            key: secret(&options.agent_llm_key).or(agent_key),
        });
        let github_api_url = given(&options.github_api_url).and_then(|url| url.parse().ok());
        let token_host = aliased(&options.github_token_host, host_alias);
        let token_home = TokenHome::find(given(&token_host), github_api_url.as_ref())
            .ok_or_else(|| ConfigError::one(wrong_token_host(&options.github_token_host)))?;
        Ok(Self {
            repo_url,
            github_token: secret(&options.github_token),
            token_home,
            github_api_url,
            forge_kind: context.agent_settings.get(AgentSettings::FORGE_KIND).and_then(|kind| kind.parse().ok()),
            program,
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

impl AgentConfig {
    /// The agent program.
    #[must_use]
    pub fn kind(&self) -> AgentKind {
        match self.program {
            Program::Here(kind, _) => kind,
            Program::Cursor(_) => AgentKind::Cursor,
        }
    }

    /// The agent's model; none where the agent works in a cloud, with a model of that.
    #[must_use]
    pub fn model(&self) -> Option<&Provider> {
        match &self.program {
            Program::Here(_, model) => Some(model),
            Program::Cursor(_) => None,
        }
    }

    /// Whether the agent works elsewhere, and its changes come from the remote.
    #[must_use]
    pub fn works_elsewhere(&self) -> bool {
        matches!(self.program, Program::Cursor(_))
    }
}

/// Takes the token that is stored for the repository's own host, unless the environment has one for that host: the
/// setting's may be for another one. A token and its host are taken together.
fn use_stored_token(options: &mut Options, settings: &AgentSettings, has_own_token: bool, host_alias: Option<&str>) {
    let stored = settings.get(AgentSettings::FORGE_TOKEN).zip(settings.get(AgentSettings::FORGE_TOKEN_HOST));
    let (Some((token, home)), Ok(repository)) = (stored, options.repo_url.parse::<Url>()) else { return };
    let home = aliased(home, host_alias);
    let api = given(&options.github_api_url).and_then(|url| url.parse().ok());
    let own = TokenHome::find(given(&aliased(&options.github_token_host, host_alias)), api.as_ref());
    let covers = |home: Option<TokenHome>| home.is_some_and(|home| home.covers(&repository));
    if !(has_own_token && covers(own)) && covers(TokenHome::find(Some(&home), None)) {
        token.clone_into(&mut options.github_token);
        options.github_token_host = home;
    }
}

/// What is wrong with the options that the API's settings can also give, a sentence each.
fn problems_of(options: &Options) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, text) in [
        ("GITHUB_API_URL", &options.github_api_url),
        ("OPENCODE_SERVER_URL", &options.opencode_server_url),
        ("WORKER_LLM_URL", &options.worker_llm_url),
        ("AGENT_LLM_URL", &options.agent_llm_url),
    ] {
        if given(text).is_some_and(|text| http_url(text).is_err()) {
            problems.push(format!("{name} is '{}'; set it to a URL that starts with http:// or https://", text.trim()));
        }
    }
    for (name, text) in
        [("WORKER_TIMEOUT_SEC", &options.worker_timeout_sec), ("AGENT_MAX_TURNS", &options.agent_max_turns)]
    {
        if given(text).is_some_and(|text| text.parse::<u32>().map_or(true, |n| n == 0)) {
            problems.push(format!("{name} is '{}'; set it to a whole number above 0", text.trim()));
        }
    }
    if given(&options.github_token_host).is_some_and(|host| TokenHome::find(Some(host), None).is_none()) {
        problems.push(wrong_token_host(&options.github_token_host));
    }
    problems.extend(agent_kind(options).err());
    problems
}

/// Cursor's cloud, as the options say. Everything that is wrong with them, a sentence each.
fn cursor(options: &Options) -> Result<CursorConfig, Vec<String>> {
    let mut problems = Vec::new();
    let key = secret(&options.cursor_api_key);
    if key.is_none() {
        problems.push(
            "CURSOR_API_KEY is not set, which WORKER_MODE=cursor needs; make a key in Cursor's dashboard under \
             Integrations, and set it for the coordinator or in the environment"
                .to_owned(),
        );
    }
    let api = given(&options.cursor_api_url).unwrap_or(Cursor::API);
    let parsed = http_url(api).ok();
    if parsed.is_none() {
        problems.push(format!("CURSOR_API_URL is '{api}'; set it to an address such as https://api.cursor.com"));
    }
    let version = given(&options.cursor_api_version).map_or(Ok(Version::default()), str::parse);
    if version.is_err() {
        problems.push(format!("CURSOR_API_VERSION is '{}'; set it to v0 or v1", options.cursor_api_version.trim()));
    }
    match (key, parsed, version) {
        (Some(key), Some(api), Ok(version)) => Ok(CursorConfig {
            api,
            version,
            key,
            model: given(&options.cursor_model).map(str::to_owned),
            look: Duration::from_millis(options.cursor_look_ms.max(1)),
        }),
        _ => Err(problems),
    }
}

fn wrong_token_host(text: &str) -> String {
    format!("GITHUB_TOKEN_HOST is '{}'; set it to a host such as gitlab.example", text.trim())
}

/// The agent program that WORKER_MODE names; without it the default one.
fn agent_kind(options: &Options) -> Result<AgentKind, String> {
    given(&options.worker_mode)
        .map_or(Ok(AgentKind::default()), |name| name.parse().map_err(|error| format!("WORKER_MODE: {error}")))
}

/// A setting's value with the API's localhost replaced by its name in this container.
fn aliased(value: &str, host_alias: Option<&str>) -> String {
    host_alias.map_or_else(|| value.to_owned(), |host| reachable_as(value, host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;
    use serde_json::json;

    #[test]
    fn every_mistake_is_named_at_once() {
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
    fn cursors_agents_need_a_key_and_no_model() {
        let resolve = |more: &[&str]| {
            let args = ["agent-runner", "--repo-url", "https://github.com/o/r", "--worker-mode", "cursor"];
            let mut options = Cli::parse_from(args.iter().chain(more)).options;
            let context = serde_json::from_value(json!({
                "project_name": "Hello", "project_id": ProjectId::new(),
                "current_ticket": {"id": TicketId::new(), "title": "Greet", "priority": "low", "column_id": "in_progress", "status": "open"},
            }));
            AgentConfig::resolve(&mut options, &context.unwrap(), None)
        };
        let key = ["--cursor-api-key", "key_of_cursor"];
        let config = resolve(&key).unwrap();
        assert!(config.works_elsewhere() && config.model().is_none() && config.director.is_none());
        assert!(matches!(config.program, Program::Cursor(CursorConfig { version: Version::V0, .. })));
        let error = resolve(&[]).unwrap_err().to_string();
        assert!(error.starts_with("CURSOR_API_KEY is not set, which WORKER_MODE=cursor needs"), "{error}");
        let wrong = ["--cursor-api-version", "v2", "--cursor-api-url", "cursor", "--agent-model", "m"];
        let error = resolve(&wrong).unwrap_err();
        for name in ["CURSOR_API_KEY", "CURSOR_API_VERSION", "CURSOR_API_URL", "AGENT_LLM_URL"] {
            assert!(error.problems.iter().any(|problem| problem.starts_with(name)), "{name}: {error}");
        }
        // The address of other agents' model is the Director's too, unless it has its own.
        let director = ["--worker-llm-url", "http://m/v1", "--agent-model", "m"];
        let config = resolve(&[&key[..], &director].concat()).unwrap();
        assert_eq!(config.director.unwrap().url, "http://m/v1");
    }

    #[test]
    fn a_review_needs_what_the_reviewers_say() {
        let parse = |more: &[&str]| {
            let id = "0190a0c8-7d5e-7c3b-9a86-1f6a3c2b1d00";
            let args = ["agent-runner", "--ticket-id", id, "--project-id", id, "--api-url", "http://localhost:5010"];
            let cli = Cli::parse_from(args.iter().chain(more));
            Config::parse(cli.command, &cli.options)
        };
        let error = parse(&["review"]).unwrap_err();
        assert!(error.to_string().starts_with("COMMENT_BODY is not set"), "{error}");
        let by_kind = parse(&["--job-kind", "review", "--comment-body", "- rename it", "--pr-number", "7"]).unwrap();
        let order = by_kind.review.unwrap();
        assert_eq!((order.said.as_str(), order.pr_number), ("- rename it", Some(7)));
        assert_eq!(parse(&["ticket", "--pr-number", "x"]).unwrap().review, None);
    }

    #[test]
    fn the_stored_token_is_taken_for_its_own_host_alone() {
        let used = |own: &[&str], repository: &str| {
            let mut options = Cli::parse_from(["agent-runner"].iter().chain(own)).options;
            let has_own = !options.github_token.is_empty();
            let stored = [
                ("GITHUB_TOKEN", "of-the-settings"),
                ("FORGE_TOKEN", "stored"),
                ("FORGE_TOKEN_HOST", "https://git.example:3000"),
            ];
            let settings = stored.map(|(name, value)| (name.to_owned(), value.to_owned()));
            options.set("GITHUB_TOKEN", "of-the-settings");
            options.set("REPO_URL", repository);
            use_stored_token(&mut options, &AgentSettings(settings.into()), has_own, None);
            (options.github_token, options.github_token_host)
        };
        let taken = |token: &str, host: &str| (token.to_owned(), host.to_owned());
        assert_eq!(used(&[], "https://git.example:3000/o/r"), taken("stored", "https://git.example:3000"));
        assert_eq!(used(&[], "https://github.com/o/r"), taken("of-the-settings", ""));
        let own = ["--github-token", "own"];
        assert_eq!(used(&own, "https://git.example:3000/o/r"), taken("stored", "https://git.example:3000"));
        let own = ["--github-token", "own", "--github-token-host", "git.example:3000"];
        assert_eq!(used(&own, "https://git.example:3000/o/r"), taken("own", "git.example:3000"));
        // Another port is another server.
        let own = ["--github-token", "own", "--github-token-host", "git.example"];
        assert_eq!(used(&own, "https://git.example:3000/o/r"), taken("stored", "https://git.example:3000"));
        // Not in the clear where it was stored for an encrypted address.
        assert_eq!(used(&[], "http://git.example:3000/o/r"), taken("of-the-settings", ""));
    }

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
