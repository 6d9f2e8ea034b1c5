//! Command line and environment. Every option is an argument with an environment variable, so `--help` is the reference.

#![allow(rustdoc::broken_intra_doc_links, rustdoc::bare_urls, reason = "the options' texts are written for --help")]

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Runs one ticket: clones, drives the coding agent, pushes, opens the pull request, reports back.
#[derive(Debug, Parser)]
#[command(name = "agent-runner", version, max_term_width = 110, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to run; absent: what JOB_KIND says, a ticket by default.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to run it.
    #[command(flatten)]
    pub options: Options,
}

const AFTER_HELP: &str = "The agent's settings come from the API; the environment wins over them.\n\
Exit codes: 0 success, 1 the agent failed, 2 wrong configuration, 75 try again later, 130 cancelled,
143 ended by TERM.";

/// What to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Work on a ticket and open a pull request.
    Ticket,
    /// Answer a comment on a ticket's pull request.
    Review,
}

/// How to log where there is no terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// For programs, one object a line.
    Json,
}

/// All options as they are typed; [`crate::config::Config`] is what they mean. Texts, so that an empty variable is the
/// same as none and every mistake is told at once.
#[derive(Debug, Args)]
pub struct Options {
    /// The ticket's id.
    #[arg(long, env = "TICKET_ID", default_value = "", hide_default_value = true, global = true, value_name = "UUID")]
    pub ticket_id: String,
    /// The project's id.
    #[arg(long, env = "PROJECT_ID", default_value = "", hide_default_value = true, global = true, value_name = "UUID")]
    pub project_id: String,
    /// The API's address, such as http://localhost:5010.
    #[arg(
        long,
        env = "TERARCHITECT_API_URL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "URL"
    )]
    pub api_url: String,
    /// The repository to clone.
    #[arg(long, env = "REPO_URL", default_value = "", hide_default_value = true, global = true, value_name = "URL")]
    pub repo_url: String,
    /// `ticket` or `review`.
    #[arg(long, env = "JOB_KIND", default_value = "ticket", global = true, value_name = "KIND")]
    pub job_kind: String,
    /// The API's worker key, or the job's token.
    #[arg(
        long,
        env = "TERARCHITECT_WORKER_API_KEY",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "KEY"
    )]
    pub worker_api_key: String,
    /// Clones, pushes, and opens the pull request.
    #[arg(
        long,
        env = "GITHUB_TOKEN",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "TOKEN"
    )]
    pub github_token: String,
    /// GitHub's REST API, where it is not https://api.github.com; the repository's host then counts as GitHub.
    #[arg(
        long,
        env = "GITHUB_API_URL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "URL"
    )]
    pub github_api_url: String,
    /// The agent that works: only `opencode`.
    #[arg(
        long,
        env = "WORKER_MODE",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "NAME"
    )]
    pub worker_mode: String,
    /// The worker's language model: an OpenAI-compatible API.
    #[arg(
        long,
        env = "WORKER_LLM_URL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "URL"
    )]
    pub worker_llm_url: String,
    /// The worker's model.
    #[arg(
        long,
        env = "WORKER_MODEL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "NAME"
    )]
    pub worker_model: String,
    /// The key of the worker's model.
    #[arg(
        long,
        env = "WORKER_API_KEY",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "KEY"
    )]
    pub worker_llm_key: String,
    /// How long one turn of the worker may take, in seconds [default: 3600].
    #[arg(
        long,
        env = "WORKER_TIMEOUT_SEC",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "SECONDS"
    )]
    pub worker_timeout_sec: String,
    /// The Director's language model [default: the worker's].
    #[arg(
        long,
        env = "AGENT_LLM_URL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "URL"
    )]
    pub agent_llm_url: String,
    /// The Director's model. With no AGENT_… setting at all the worker works alone.
    #[arg(
        long,
        env = "AGENT_MODEL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "NAME"
    )]
    pub agent_model: String,
    /// The key of the Director's model [default: the worker's].
    #[arg(
        long,
        env = "AGENT_API_KEY",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "KEY"
    )]
    pub agent_llm_key: String,
    /// How many execution turns the Director may order [default: 50].
    #[arg(
        long,
        env = "AGENT_MAX_TURNS",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "N"
    )]
    pub agent_max_turns: String,
    /// An OpenCode server that runs already; absent: one is started.
    #[arg(
        long,
        env = "OPENCODE_SERVER_URL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "URL"
    )]
    pub opencode_server_url: String,
    /// The user of that server [default: opencode].
    #[arg(
        long,
        env = "OPENCODE_SERVER_USERNAME",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "NAME"
    )]
    pub opencode_server_username: String,
    /// The password of that server.
    #[arg(
        long,
        env = "OPENCODE_SERVER_PASSWORD",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "PASSWORD"
    )]
    pub opencode_server_password: String,
    /// The OpenCode program.
    #[arg(long, env = "OPENCODE_BIN", default_value = "opencode", global = true, value_name = "FILE")]
    pub opencode_bin: PathBuf,
    /// The author of commits [default: Terarchitect].
    #[arg(
        long,
        env = "GIT_USER_NAME",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "NAME"
    )]
    pub git_user_name: String,
    /// The author's address [default: terarchitect@localhost].
    #[arg(
        long,
        env = "GIT_USER_EMAIL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "EMAIL"
    )]
    pub git_user_email: String,
    /// Where to clone; must be empty [default: a temporary directory].
    #[arg(
        long,
        env = "WORKSPACE_DIR",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "DIR"
    )]
    pub workspace_dir: String,
    /// The user to run the agent as, where the runner is root.
    #[arg(long, env = "AGENT_USER", default_value = "", hide_default_value = true, global = true, value_name = "NAME")]
    pub agent_user: String,
    /// What localhost in the API's settings is called here, such as host.docker.internal in a container.
    #[arg(
        long,
        env = "TERARCHITECT_HOST_ALIAS",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "HOST"
    )]
    pub host_alias: String,
    /// 1: read more variables from standard input first, as one line {"env": {"NAME": "value"}}.
    #[arg(
        long,
        env = "TERARCHITECT_SECRETS_STDIN",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "0|1"
    )]
    pub secrets_stdin: String,
    /// How to log where there is no terminal.
    #[arg(long, env = "LOG_FORMAT", default_value = "pretty", global = true)]
    pub log_format: LogFormat,
}

impl Options {
    /// Sets an option by the name of its variable, unless it has a value; for variables that come from elsewhere.
    pub fn set(&mut self, variable: &str, value: &str) {
        let field = match variable {
            "REPO_URL" => &mut self.repo_url,
            "TERARCHITECT_WORKER_API_KEY" => &mut self.worker_api_key,
            "GITHUB_TOKEN" => &mut self.github_token,
            "GITHUB_API_URL" => &mut self.github_api_url,
            "WORKER_MODE" => &mut self.worker_mode,
            "WORKER_LLM_URL" => &mut self.worker_llm_url,
            "WORKER_MODEL" => &mut self.worker_model,
            "WORKER_API_KEY" => &mut self.worker_llm_key,
            "WORKER_TIMEOUT_SEC" => &mut self.worker_timeout_sec,
            "AGENT_LLM_URL" => &mut self.agent_llm_url,
            "AGENT_MODEL" => &mut self.agent_model,
            "AGENT_API_KEY" => &mut self.agent_llm_key,
            "AGENT_MAX_TURNS" => &mut self.agent_max_turns,
            "OPENCODE_SERVER_URL" => &mut self.opencode_server_url,
            "OPENCODE_SERVER_PASSWORD" => &mut self.opencode_server_password,
            "GIT_USER_NAME" => &mut self.git_user_name,
            "GIT_USER_EMAIL" => &mut self.git_user_email,
            _ => return,
        };
        if field.trim().is_empty() {
            value.clone_into(field);
        }
    }
}
