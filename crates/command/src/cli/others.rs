//! The other commands.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What to do with projects.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ProjectAction {
    /// List the projects.
    List,
    /// Make a project.
    New {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
        /// The address of its repository, such as https://github.com/owner/repo.
        #[arg(long, value_name = "URL", required_unless_present = "path")]
        repo: Option<String>,
        /// The folder of its repository on the coordinator's machine. Its jobs run there, without a container.
        #[arg(long, value_name = "DIR")]
        path: Option<PathBuf>,
        /// What it is about.
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// How many of its tickets may run at once.
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
    },
    /// Show a project.
    Show {
        /// The project [default: as for all commands].
        #[arg(value_name = "PROJECT")]
        project: Option<String>,
    },
    /// Check that a project's tickets can become pull requests: repository, token, model, coordinator.
    Check {
        /// The project [default: as for all commands].
        #[arg(value_name = "PROJECT")]
        project: Option<String>,
    },
}

/// What to do with secrets of a project.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SecretsAction {
    /// List the secrets, by name. Their values are never shown.
    List,
    /// Set a secret, or replace one.
    ///
    /// The value is asked for, or read from standard input if that is not a terminal: a single line without its end, several
    /// lines as they are. It is encrypted, and never shown again. It counts for attempts that start from now on.
    Set {
        /// The variable, such as NPM_TOKEN.
        #[arg(value_name = "NAME")]
        name: String,
        /// Give it to the agent too, which then can read it and do with it what it likes.
        #[arg(long)]
        give_to_agent: bool,
    },
    /// Delete a secret.
    Remove {
        /// The variable.
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// What to do with the inbox.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum InboxAction {
    /// List what waits for you.
    List,
    /// Show what waits, and what is to be decided about.
    Show {
        /// The ticket, or the checkpoint's id.
        #[arg(value_name = "TICKET")]
        item: String,
    },
    /// Approve what an agent waits for, or answer its question: it goes on.
    Approve {
        /// The ticket, or the checkpoint's id.
        #[arg(value_name = "TICKET")]
        item: String,
        /// Words to the agent, such as the answer to its question. - reads them from standard input.
        #[arg(long, value_name = "TEXT")]
        answer: Option<String>,
    },
    /// Reject what an agent waits for: its job fails for good.
    Reject {
        /// The ticket, or the checkpoint's id.
        #[arg(value_name = "TICKET")]
        item: String,
        /// Why. - reads it from standard input.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Put something off.
    Snooze {
        /// The ticket.
        #[arg(value_name = "TICKET")]
        ticket: String,
        /// For how long, such as 30m, 4h or 2d.
        #[arg(long = "for", value_name = "TIME", default_value = "4h", value_parser = crate::text::parse_time)]
        time: std::time::Duration,
    },
}

/// Which jobs to list.
#[derive(Clone, Debug, Args)]
pub(crate) struct JobsOptions {
    /// Only jobs with this status.
    #[arg(long)]
    pub(crate) status: Option<JobStatus>,
    /// Only jobs of this ticket.
    #[arg(long, value_name = "TICKET")]
    pub(crate) ticket: Option<String>,
    /// At most so many, newest first.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum JobStatus {
    /// It waits.
    Pending,
    /// It runs.
    Running,
    /// It has done its work.
    Completed,
    /// It failed for good.
    Failed,
    /// A person stopped it.
    Cancelled,
}

impl JobStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What to do with the machines.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Fleet {
    /// List the coordinators and what waits for them.
    List,
    /// Let a coordinator finish what it runs, and claim nothing more.
    Drain {
        /// The coordinator, by name or id.
        #[arg(value_name = "COORDINATOR")]
        coordinator: String,
    },
    /// Let a coordinator claim again; without a name: after stop-everything, all of them.
    Resume {
        /// The coordinator, by name or id.
        #[arg(value_name = "COORDINATOR")]
        coordinator: Option<String>,
    },
    /// Let a coordinator run fewer jobs at once than it could.
    Limit {
        /// The coordinator, by name or id.
        #[arg(value_name = "COORDINATOR")]
        coordinator: String,
        /// How many, or none for no limit.
        #[arg(value_name = "N|none", value_parser = parse_limit)]
        limit: Limit,
    },
    /// Stop all agents and start none until `fleet resume`. What waits goes on waiting.
    StopEverything {
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
}

/// How many jobs a coordinator may run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) Option<u32>);

fn parse_limit(text: &str) -> Result<Limit, String> {
    match text {
        "none" => Ok(Limit(None)),
        _ => text.parse().map(|limit| Limit(Some(limit))).map_err(|_| "give a number, or none".to_owned()),
    }
}

/// How to sign in.
#[derive(Clone, Debug, Args)]
pub(crate) struct LoginOptions {
    /// The server's address, such as https://terarchitect.example [default: as for all commands].
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,
    /// What to call it here [default: its host].
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Sign in from a browser, also where this is not a terminal.
    #[arg(long, conflicts_with_all = ["token", "email"])]
    pub(crate) browser: bool,
    /// Use a token. It is asked for, or read from standard input if that is not a terminal.
    #[arg(long, conflicts_with = "email")]
    pub(crate) token: bool,
    /// Your email address. The password is asked for, or read from standard input if that is not a terminal.
    #[arg(long, value_name = "EMAIL")]
    pub(crate) email: Option<String>,
}

/// How to start everything.
#[derive(Clone, Debug, Args)]
pub(crate) struct UpOptions {
    /// Where to listen. Containers reach the API from outside of this machine's loopback, so it listens everywhere; keys
    /// protect it. Port 0 picks a free port.
    #[arg(long, value_name = "HOST:PORT", default_value = "0.0.0.0:5010")]
    pub(crate) listen: std::net::SocketAddr,
    /// Where data, keys and logs are kept [default: /var/lib/terarchitect-up as root, else
    /// $XDG_DATA_HOME/terarchitect-up or ~/.local/share/terarchitect-up].
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
