//! Work orders and schedules.

use clap::{Args, Subcommand};
use std::path::PathBuf;

use super::others::JobStatus;

/// What to do with work orders.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum OrderAction {
    /// List work orders, the newest first.
    List {
        /// Only orders that stand so.
        #[arg(long)]
        status: Option<JobStatus>,
        /// At most so many.
        #[arg(long, short = 'n', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
    },
    /// Show a work order: how it stands, its lines, and the end of its log.
    Show {
        /// The order, by id or objective.
        #[arg(value_name = "ORDER")]
        order: String,
    },
    /// Create a work order and launch it. Prints its id.
    Create(CreateOptions),
    /// Cancel a work order.
    Cancel {
        /// The order, by id or objective.
        #[arg(value_name = "ORDER")]
        order: String,
    },
}

/// What a new work order says.
#[derive(Clone, Debug, Args)]
pub(crate) struct CreateOptions {
    /// What is to be reached.
    #[arg(value_name = "OBJECTIVE", required_unless_present = "file")]
    pub(crate) objective: Option<String>,
    /// A line of it: what to do, and after " :: " what must hold when it is done. Can be repeated.
    #[arg(long = "line", value_name = "TEXT")]
    pub(crate) lines: Vec<String>,
    /// Who works on it, by name [default: the repository's own agent, or OpenCode].
    #[arg(long, value_name = "NAME|ID")]
    pub(crate) agent: Option<String>,
    /// The branch to begin on [default: the repository's].
    #[arg(long, value_name = "BRANCH")]
    pub(crate) branch: Option<String>,
    /// The command that shows that it is done.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) test_command: Option<String>,
    /// A JSON object with more fields of the order, such as constraints and exploration_hints; what is given here takes their place.
    /// - reads it from standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Do not launch it: an agent of your own works on it, and reports by hooks.
    #[arg(long)]
    pub(crate) local: bool,
    /// Create nothing, and print the prompt that it would have.
    #[arg(long)]
    pub(crate) preview: bool,
}

/// What to do with schedules.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ScheduleAction {
    /// List the schedules.
    List,
    /// Show a schedule: its next times and its last runs.
    Show {
        /// The schedule, by name or id.
        #[arg(value_name = "SCHEDULE")]
        schedule: String,
    },
    /// Run a schedule now, whenever it is due. Prints its order's id.
    Run {
        /// The schedule, by name or id.
        #[arg(value_name = "SCHEDULE")]
        schedule: String,
    },
    /// Let a schedule rest: it is not fired by itself.
    Pause {
        /// The schedule, by name or id.
        #[arg(value_name = "SCHEDULE")]
        schedule: String,
    },
    /// Let a schedule be fired by itself again. Times that passed meanwhile are not made up for.
    Resume {
        /// The schedule, by name or id.
        #[arg(value_name = "SCHEDULE")]
        schedule: String,
    },
}
