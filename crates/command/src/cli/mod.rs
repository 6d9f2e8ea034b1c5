//! The command line. `--help` is the reference; docs/command.md is made from it.

#![allow(rustdoc::broken_intra_doc_links, rustdoc::bare_urls, reason = "the options' texts are written for --help")]

mod orders;
mod others;
mod ticket;

pub(crate) use orders::{CreateOptions, OrderAction, ScheduleAction};
pub(crate) use others::{Fleet, InboxAction, JobsOptions, LoginOptions, ProjectAction, SecretsAction, UpOptions};
pub(crate) use ticket::{LogOptions, NewOptions, TicketAction};

use clap::{Args, Parser, Subcommand, ValueEnum};
use secrecy::SecretString;

/// Terarchitect from a shell: make tickets, watch agents work on them, and see to the machines that they run on.
///
/// This is the whole main job on one line; it ends with the address of the pull request:
///
///     terarchitect ticket new --run --watch "Title" < text
#[derive(Debug, Parser)]
#[command(name = "terarchitect", version, max_term_width = 110, after_help = AFTER_HELP, verbatim_doc_comment)]
pub(crate) struct Cli {
    /// What all commands understand.
    #[command(flatten, next_help_heading = "Options of all commands")]
    pub(crate) common: Common,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Exit codes:
  0    done; with --watch: the pull request is open
  1    failed, or refused; what to do is on standard error
  2    the command line is not right
  3    the API does not respond
  4    not signed in, or not allowed
  5    the ticket was cancelled
  130  Ctrl-C; the ticket goes on
  141  standard output was closed

Projects are named by name or id, tickets by id or title, work orders by id or objective, schedules by name or
id, or by the beginning of either if only one begins like that. Results go to standard output, everything else to standard error. NO_COLOR and CLICOLOR are
respected.

With --json an error is one line on standard error: {\"error\": SENTENCE, \"code\": WORD, \"exit_code\": NUMBER},
where it applies with \"advice\", and with the \"status\" and \"request_id\" of the API's response. A remark is
{\"note\": SENTENCE}. What a command finds out is a result, and goes to standard output, also where it exits
with 1: a check that failed, or the end of a watch.";

/// Whether --json is given, on a command line that could not be parsed. No option takes a value that begins with a hyphen.
pub(crate) fn wants_json() -> bool {
    std::env::args_os().take_while(|argument| argument != "--").any(|argument| argument == "--json")
}

/// What all commands understand.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// The server: the name of one that you signed in to, or an address [default: TERARCHITECT_API_URL, else the server
    /// that you signed in to first, else http://localhost:5010].
    #[arg(long, global = true, value_name = "NAME|URL")]
    pub(crate) server: Option<String>,
    /// The API's address, where --server is not given.
    #[arg(long, global = true, env = "TERARCHITECT_API_URL", hide = true, value_name = "URL")]
    pub(crate) api_url: Option<String>,
    /// The key, where you did not sign in.
    #[arg(long, global = true, env = "TERARCHITECT_API_KEY", hide = true, hide_env_values = true, value_name = "KEY")]
    pub(crate) api_key: Option<SecretString>,
    /// The project [default: the only one].
    #[arg(long, short, global = true, env = "TERARCHITECT_PROJECT", value_name = "NAME|ID")]
    pub(crate) project: Option<String>,
    /// Print JSON for programs: one document, or one a line where the command follows something. Errors and remarks are
    /// JSON on standard error, one a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to use colours.
    #[arg(long, global = true, default_value = "auto", hide_possible_values = true, value_name = "auto|always|never")]
    pub(crate) color: ColorChoice,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// In a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Make tickets, run them, watch them, stop them.
    #[command(subcommand, visible_alias = "tickets")]
    Ticket(TicketAction),
    /// Projects: each is a repository with tickets.
    #[command(visible_alias = "project")]
    Projects {
        /// What to do [default: list].
        #[command(subcommand)]
        action: Option<ProjectAction>,
    },
    /// Secrets of a project: variables for the commands that verify its tickets.
    #[command(visible_alias = "secret")]
    Secrets {
        /// What to do [default: list].
        #[command(subcommand)]
        action: Option<SecretsAction>,
    },
    /// What waits for you: questions and plans of agents, pull requests that are ready, and tickets that failed.
    Inbox {
        /// What to do [default: list].
        #[command(subcommand)]
        action: Option<InboxAction>,
    },
    /// Work orders: what agents are to reach, line by line.
    #[command(visible_alias = "order")]
    Orders {
        /// What to do [default: list].
        #[command(subcommand)]
        action: Option<OrderAction>,
    },
    /// Schedules: work orders at times of their own.
    #[command(visible_alias = "schedule")]
    Schedules {
        /// What to do [default: list].
        #[command(subcommand)]
        action: Option<ScheduleAction>,
    },
    /// A ticket's pull request: its state, its checks, its reviews, and the threads that are open.
    Review {
        /// The ticket.
        #[arg(value_name = "TICKET")]
        ticket: String,
    },
    /// The queue: what runs, what waits, and how it ended.
    Jobs(JobsOptions),
    /// The machines that run agents.
    Fleet {
        /// What to do [default: list].
        #[command(subcommand)]
        action: Option<Fleet>,
    },
    /// Check everything between here and a finished pull request, and say what to do where something is missing.
    ///
    /// Exits with code 1 if tickets can't run.
    Doctor,
    /// Sign in to a server, and remember it.
    ///
    /// In a terminal it shows an address and a code: open the address in any browser, also on another machine, sign in there
    /// and approve the code. The server then makes a token for this machine that may do what you may. With --email it asks
    /// for your password instead. With --token it takes a token that you made on the server's page (Settings, Tokens), and
    /// so it does where standard input is not a terminal. The token is kept in $XDG_CONFIG_HOME/terarchitect/servers.json,
    /// which only you can read.
    Login(LoginOptions),
    /// Forget a server, and have it revoke the token that login made.
    Logout {
        /// The server's name [default: the one that is used without --server].
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Start everything on this machine, to try it: the API with a private Postgres, and a coordinator.
    ///
    /// The programs terarchitect-api and terarchitect-coordinator have to be beside this one or on PATH. Ctrl-C stops both;
    /// agents that run go on in their containers, and the next start takes them over.
    Up(UpOptions),
    /// Print the completion script of a shell.
    ///
    /// For bash: source <(terarchitect completion bash)
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
}
