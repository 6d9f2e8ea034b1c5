//! The commands about tickets.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What to do with tickets.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TicketAction {
    /// Make a ticket. Its text comes from standard input, unless that is a terminal.
    New(NewOptions),
    /// Let an agent work on a ticket: move it to In Progress.
    Run {
        /// The ticket.
        #[arg(value_name = "TICKET")]
        ticket: String,
        /// Watch it until its pull request is open, and print its address.
        #[arg(long, short)]
        watch: bool,
    },
    /// Stop a ticket's agent. The ticket stays where it is.
    Stop {
        /// The ticket.
        #[arg(value_name = "TICKET")]
        ticket: String,
    },
    /// Try a ticket again that failed or was cancelled.
    Retry {
        /// The ticket.
        #[arg(value_name = "TICKET")]
        ticket: String,
        /// What to tell the agent this time.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// Watch it until its pull request is open, and print its address.
        #[arg(long, short)]
        watch: bool,
    },
    /// Follow a ticket until its pull request is open, and print its address.
    ///
    /// What happens goes to standard error, so that standard output has the address alone. With --json, everything goes to
    /// standard output, one object a line. If the API can't be reached for ten minutes, it exits with code 3.
    Watch {
        /// The ticket.
        #[arg(value_name = "TICKET")]
        ticket: String,
    },
    /// Print a ticket's log.
    Log(LogOptions),
    /// Tell a ticket's agent something; it is in the next prompt.
    Tell {
        /// The ticket.
        #[arg(value_name = "TICKET")]
        ticket: String,
        /// What to say; - reads it from standard input.
        #[arg(value_name = "TEXT")]
        text: String,
    },
    /// Show everything about a ticket.
    Show {
        /// The ticket.
        #[arg(value_name = "TICKET")]
        ticket: String,
    },
    /// List a project's tickets.
    List {
        /// Only those in this column, such as in_progress.
        #[arg(long, value_name = "COLUMN")]
        column: Option<String>,
    },
    /// Move a ticket to another column. Moving it to in_progress starts an agent, moving it away stops one.
    Move {
        /// The ticket.
        #[arg(value_name = "TICKET")]
        ticket: String,
        /// The column: backlog, in_progress, in_review, done, or one of your own.
        #[arg(value_name = "COLUMN")]
        column: String,
    },
}

/// The ticket to make.
#[derive(Clone, Debug, Args)]
pub(crate) struct NewOptions {
    /// Its title.
    #[arg(value_name = "TITLE")]
    pub(crate) title: String,
    /// Its text.
    #[arg(long, value_name = "TEXT", conflicts_with = "file")]
    pub(crate) text: Option<String>,
    /// A file with its text; - is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Its priority.
    #[arg(long)]
    pub(crate) priority: Option<Priority>,
    /// Let an agent work on it at once.
    #[arg(long, short)]
    pub(crate) run: bool,
    /// Watch it until its pull request is open, and print its address.
    #[arg(long, short, requires = "run")]
    pub(crate) watch: bool,
}

/// How urgent a ticket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Priority {
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
}

impl Priority {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// How to print a log.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogOptions {
    /// The ticket.
    #[arg(value_name = "TICKET")]
    pub(crate) ticket: String,
    /// Only the last entries.
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) tail: Option<usize>,
    /// Also the whole output of each entry.
    #[arg(long)]
    pub(crate) output: bool,
}
