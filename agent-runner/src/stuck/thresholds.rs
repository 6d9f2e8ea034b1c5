//! From when on an agent counts as stuck.

use clap::Args;
use serde::{Deserialize, Serialize};

/// From when on an agent counts as stuck. With 0 that is never noticed.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thresholds {
    /// An agent is stuck that makes the same call so often in a row, with the same result; 0: never.
    #[arg(long = "stuck-same-calls", env = "STUCK_SAME_CALLS", default_value_t = 4, global = true, value_name = "N")]
    pub same_calls: u32,
    /// An agent is stuck that makes the same two to four calls in turn so often, with the same results; 0: never.
    #[arg(long = "stuck-same-rounds", env = "STUCK_SAME_ROUNDS", default_value_t = 4, global = true, value_name = "N")]
    pub same_rounds: u32,
    /// An agent is stuck that gets the same error so often, with nothing new in between; 0: never.
    #[arg(long = "stuck-same-errors", env = "STUCK_SAME_ERRORS", default_value_t = 3, global = true, value_name = "N")]
    pub same_errors: u32,
    /// An agent is stuck that makes the same call so often in a row, where that waits or brings something else each time; 0:
    /// never.
    #[arg(
        long = "stuck-waiting-calls",
        env = "STUCK_WAITING_CALLS",
        default_value_t = 60,
        global = true,
        value_name = "N"
    )]
    pub waiting_calls: u32,
    /// An agent is stuck whose conversation is compacted so often in a turn, with nothing new in between; 0: never.
    #[arg(long = "stuck-compactions", env = "STUCK_COMPACTIONS", default_value_t = 3, global = true, value_name = "N")]
    pub compactions: u32,
    /// An agent is stuck that says nothing for so many seconds, while no tool of its own runs; 0: never.
    #[arg(
        long = "stuck-silent-sec",
        env = "STUCK_SILENT_SEC",
        default_value_t = 1200,
        global = true,
        value_name = "SECONDS"
    )]
    pub silent_sec: u32,
    /// An agent is stuck that changes nothing in so many turns of work in a row; 0: never.
    #[arg(long = "stuck-idle-turns", env = "STUCK_IDLE_TURNS", default_value_t = 6, global = true, value_name = "N")]
    pub idle_turns: u32,
    /// An agent is stuck that calls no tool and changes nothing in so many turns of work in a row; 0: never.
    #[arg(
        long = "stuck-talking-turns",
        env = "STUCK_TALKING_TURNS",
        default_value_t = 3,
        global = true,
        value_name = "N"
    )]
    pub talking_turns: u32,
    /// An agent is stuck that makes and undoes the same two changes in so many turns in a row; 0: never.
    #[arg(
        long = "stuck-undoing-turns",
        env = "STUCK_UNDOING_TURNS",
        default_value_t = 4,
        global = true,
        value_name = "N"
    )]
    pub undoing_turns: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            same_calls: 4,
            same_rounds: 4,
            same_errors: 3,
            waiting_calls: 60,
            compactions: 3,
            silent_sec: 1200,
            idle_turns: 6,
            talking_turns: 3,
            undoing_turns: 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        thresholds: Thresholds,
    }

    #[test]
    fn what_is_not_given_is_as_elsewhere() {
        assert_eq!(Alone::parse_from(["x"]).thresholds, Thresholds::default());
    }
}
