//! Command line and environment. Every option is an argument with an environment variable, so `--help` is the reference.

#![allow(rustdoc::broken_intra_doc_links, rustdoc::bare_urls, reason = "the options' texts are written for --help")]

use crate::stuck::Thresholds;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Works on one ticket, or on what reviewers say about its pull request: clones the repository, drives a coding agent,
/// pushes the branch, opens the pull request, and reports to the API.
#[derive(Debug, Parser)]
#[command(name = "agent-runner", version, max_term_width = 110, after_help = AFTER_HELP)]
pub struct Cli {
    /// The command [default: the value of JOB_KIND].
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options.
    #[command(flatten)]
    pub options: Options,
}

impl Cli {
    /// Parses the command line again, with these variables beside those of the environment.
    ///
    /// # Errors
    /// One of them has a value that can't be parsed.
    pub fn with_variables(variables: &BTreeMap<String, String>) -> Result<Self, clap::Error> {
        let command = Self::command();
        let given = command.get_arguments().filter_map(|argument| {
            let value = variables.get(argument.get_env()?.to_str()?)?;
            Some(format!("--{}={value}", argument.get_long()?).into())
        });
        Self::try_parse_from(std::env::args_os().chain(given))
    }
}

const AFTER_HELP: &str = "Settings that are not given here come from the API.\n\
WORKER_LLM_URL, WORKER_MODEL and WORKER_API_KEY are for the coding agent's model; AGENT_LLM_URL, AGENT_MODEL and \
AGENT_API_KEY are for the Director's. If none of these three is set, there is no Director. Agents of Cursor's cloud \
need CURSOR_API_KEY, and no model.\n\
Exit codes: 0 success, 1 the agent failed, 2 wrong configuration, 75 temporary failure, 130 cancelled, \
143 stopped by SIGTERM.";

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Work on a ticket and open a pull request.
    Ticket,
    /// Work on what reviewers say about a ticket's pull request, on its branch.
    Review,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text for people.
    Pretty,
    /// One JSON object per line, for programs.
    Json,
}

/// All options as they were given; [`crate::config::Config`] has the parsed values. They are strings, so that an empty
/// variable counts as unset, and all problems are reported at once.
#[derive(Debug, Args)]
pub struct Options {
    /// The ticket's id.
    #[arg(long, env = "TICKET_ID", default_value = "", hide_default_value = true, global = true, value_name = "UUID")]
    pub ticket_id: String,
    /// The project's id.
    #[arg(long, env = "PROJECT_ID", default_value = "", hide_default_value = true, global = true, value_name = "UUID")]
    pub project_id: String,
    /// The address of Terarchitect's API, such as http://localhost:5010.
    #[arg(
        long,
        env = "TERARCHITECT_API_URL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "URL"
    )]
    pub api_url: String,
    /// The repository to clone [default: the project's].
    #[arg(long, env = "REPO_URL", default_value = "", hide_default_value = true, global = true, value_name = "URL")]
    pub repo_url: String,
    /// The job's id, by which the next attempt of the job finds what this one has launched elsewhere.
    #[arg(long, env = "JOB_ID", default_value = "", hide_default_value = true, global = true, value_name = "UUID")]
    pub job_id: String,
    /// The command to run if none is given: `ticket` or `review`.
    #[arg(long, env = "JOB_KIND", default_value = "ticket", global = true, value_name = "KIND")]
    pub job_kind: String,
    /// For reviews: what the reviewers say about the pull request.
    #[arg(
        long,
        env = "COMMENT_BODY",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true,
        global = true,
        value_name = "TEXT"
    )]
    pub comment_body: String,
    /// For reviews: the pull request's number [default: the one that is open for the ticket's branch].
    #[arg(
        long,
        env = "PR_NUMBER",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "NUMBER"
    )]
    pub pr_number: String,
    /// For reviews: the id of the comment at the forge, which tells apart reviews with the same words.
    #[arg(
        long,
        env = "GITHUB_COMMENT_ID",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "ID"
    )]
    pub github_comment_id: String,
    /// The key for Terarchitect's API: its worker key, or the token of the job.
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
    /// The GitHub token for cloning, pushing and opening the pull request.
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
    /// The address of GitHub's REST API, for GitHub Enterprise. If it is set, the repository's host is treated as GitHub
    /// [default: https://api.github.com, for repositories on github.com].
    #[arg(
        long,
        env = "GITHUB_API_URL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "URL"
    )]
    pub github_api_url: String,
    /// The host that the token is for, such as gitlab.example, or http://gitea.local:3000 where it has no encryption. The
    /// token is sent to no other one [default: the host of GITHUB_API_URL, else github.com].
    #[arg(
        long,
        env = "GITHUB_TOKEN_HOST",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "HOST"
    )]
    pub github_token_host: String,
    /// The coding agent to use: `opencode`, `opencode-acp`, `claude`, `codex`, `gemini`, `qwen`, `kimi`, `copilot`, `command`, or
    /// `cursor` for Cursor's Cloud Agents [default: opencode].
    #[arg(
        long,
        env = "WORKER_MODE",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "NAME"
    )]
    pub worker_mode: String,
    /// The key for Cursor's Cloud Agents, which WORKER_MODE=cursor needs.
    #[arg(
        long,
        env = "CURSOR_API_KEY",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "KEY"
    )]
    pub cursor_api_key: String,
    /// The address of Cursor's API [default: https://api.cursor.com].
    #[arg(
        long,
        env = "CURSOR_API_URL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "URL"
    )]
    pub cursor_api_url: String,
    /// Which of Cursor's APIs to use: `v0`, or `v1`, whose agents work on the ticket's branch itself [default: v0].
    #[arg(
        long,
        env = "CURSOR_API_VERSION",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "VERSION"
    )]
    pub cursor_api_version: String,
    /// The model of Cursor's agents [default: Cursor's own choice].
    #[arg(
        long,
        env = "CURSOR_MODEL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "NAME"
    )]
    pub cursor_model: String,
    /// The shortest pause between two looks at an agent of Cursor's, in milliseconds.
    #[arg(long, default_value_t = 5000, hide = true, global = true, value_name = "MILLISECONDS")]
    pub cursor_look_ms: u64,
    /// The base URL of the OpenAI-compatible API of the coding agent's model, such as http://localhost:8000/v1.
    #[arg(
        long,
        env = "WORKER_LLM_URL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "URL"
    )]
    pub worker_llm_url: String,
    /// The name of the coding agent's model.
    #[arg(
        long,
        env = "WORKER_MODEL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "NAME"
    )]
    pub worker_model: String,
    /// The API key for the coding agent's model.
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
    /// Timeout of one turn of the coding agent, in seconds [default: 3600].
    #[arg(
        long,
        env = "WORKER_TIMEOUT_SEC",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "SECONDS"
    )]
    pub worker_timeout_sec: String,
    /// The base URL of the OpenAI-compatible API of the Director's model [default: WORKER_LLM_URL].
    #[arg(
        long,
        env = "AGENT_LLM_URL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "URL"
    )]
    pub agent_llm_url: String,
    /// The name of the Director's model [default: WORKER_MODEL].
    #[arg(
        long,
        env = "AGENT_MODEL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "NAME"
    )]
    pub agent_model: String,
    /// The API key for the Director's model [default: WORKER_API_KEY].
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
    /// The maximum number of execution turns of the coding agent [default: 50].
    #[arg(
        long,
        env = "AGENT_MAX_TURNS",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "N"
    )]
    pub agent_max_turns: String,
    /// The address of an OpenCode server that is already running [default: start one].
    #[arg(
        long,
        env = "OPENCODE_SERVER_URL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "URL"
    )]
    pub opencode_server_url: String,
    /// The user name for the server at OPENCODE_SERVER_URL [default: opencode].
    #[arg(
        long,
        env = "OPENCODE_SERVER_USERNAME",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "NAME"
    )]
    pub opencode_server_username: String,
    /// The password for the server at OPENCODE_SERVER_URL.
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
    /// The OpenCode program to start.
    #[arg(long, env = "OPENCODE_BIN", default_value = "opencode", global = true, value_name = "FILE")]
    pub opencode_bin: PathBuf,
    /// The command line of the agent `command`, as sh reads it: the prompt is its standard input, and $1.
    #[arg(
        long,
        env = "AGENT_COMMAND",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "LINE"
    )]
    pub agent_command: String,
    /// The program of another agent [default: that agent's own name, such as claude-agent-acp, on PATH].
    #[arg(
        long,
        env = "ACP_AGENT_BIN",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "FILE"
    )]
    pub acp_agent_bin: String,
    /// The name of the author of commits [default: Terarchitect].
    #[arg(
        long,
        env = "GIT_USER_NAME",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "NAME"
    )]
    pub git_user_name: String,
    /// The email address of the author of commits [default: terarchitect@localhost].
    #[arg(
        long,
        env = "GIT_USER_EMAIL",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "EMAIL"
    )]
    pub git_user_email: String,
    /// The directory to clone into; it must be empty [default: a temporary directory].
    #[arg(
        long,
        env = "WORKSPACE_DIR",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "DIR"
    )]
    pub workspace_dir: String,
    /// For how many seconds a call of git that fails is retried.
    #[arg(long, default_value_t = 90, hide = true, global = true, value_name = "SECONDS")]
    pub git_patience_sec: u64,
    /// For how many seconds the container waits for a person's decision about a checkpoint, before the job waits without it.
    #[arg(long, env = "CHECKPOINT_HOLD_SEC", default_value_t = 120, global = true, value_name = "SECONDS")]
    pub checkpoint_hold_sec: u64,
    /// From when on an agent counts as stuck.
    #[command(flatten)]
    pub stuck: Thresholds,
    /// Where commits that could not be pushed wait for the next attempt [default: on the project's cache volume, or in the
    /// user's cache directory].
    #[arg(
        long,
        env = "UNPUSHED_DIR",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "DIR"
    )]
    pub unpushed_dir: String,
    /// The user that the coding agent runs as, if this program runs as root [default: root].
    #[arg(long, env = "AGENT_USER", default_value = "", hide_default_value = true, global = true, value_name = "NAME")]
    pub agent_user: String,
    /// The host name that replaces localhost in settings from the API, such as host.docker.internal in a container.
    #[arg(
        long,
        env = "TERARCHITECT_HOST_ALIAS",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "HOST"
    )]
    pub host_alias: String,
    /// Set to 1 to first read more variables from standard input, as one line {"env": {"NAME": "value"}}.
    #[arg(
        long,
        env = "TERARCHITECT_SECRETS_STDIN",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "0|1"
    )]
    pub secrets_stdin: String,
    /// Set to 1 to get an agent ready before there is a job, and then to wait for all variables of one, as one line
    /// {"env": {"NAME": "value"}} on standard input. If that is closed first, the program ends.
    #[arg(
        long,
        env = "TERARCHITECT_WARM",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "0|1"
    )]
    pub warm: String,
    /// The format of log lines.
    #[arg(long, env = "LOG_FORMAT", default_value = "pretty", global = true)]
    pub log_format: LogFormat,
}

impl Options {
    /// Sets an option by the name of its variable, unless it already has a value. Unknown names are ignored.
    pub fn set(&mut self, variable: &str, value: &str) {
        let field = match variable {
            "REPO_URL" => &mut self.repo_url,
            "TERARCHITECT_API_URL" => &mut self.api_url,
            "TERARCHITECT_WORKER_API_KEY" => &mut self.worker_api_key,
            "GITHUB_TOKEN" => &mut self.github_token,
            "GITHUB_API_URL" => &mut self.github_api_url,
            "GITHUB_TOKEN_HOST" => &mut self.github_token_host,
            "WORKER_MODE" => &mut self.worker_mode,
            "CURSOR_API_KEY" => &mut self.cursor_api_key,
            "CURSOR_API_URL" => &mut self.cursor_api_url,
            "CURSOR_API_VERSION" => &mut self.cursor_api_version,
            "CURSOR_MODEL" => &mut self.cursor_model,
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
            // One that begins with an address with a password counts as a secret.
            "COMMENT_BODY" => &mut self.comment_body,
            "GIT_USER_NAME" => &mut self.git_user_name,
            "GIT_USER_EMAIL" => &mut self.git_user_email,
            _ => return,
        };
        if field.trim().is_empty() {
            value.clone_into(field);
        }
    }
}
