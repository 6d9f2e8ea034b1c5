//! How an agent is stuck, with the numbers, in words.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How an agent is stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The same call with the same result.
    SameCall,
    /// The same calls in turn with the same results.
    SameRounds,
    /// The same error.
    SameError,
    /// The same call, which waits or brings something else each time.
    Waiting,
    /// Compactions with nothing new in between.
    Compactions,
    /// Nothing was said or done.
    Silent,
    /// Turns that changed nothing.
    IdleTurns,
    /// Turns of words alone.
    TalkingTurns,
    /// Turns that make and undo the same changes.
    UndoingTurns,
}

/// What was found. Displayed, it is a predicate: "made the same call 4 times …", for "the agent" and for "you".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// How it is stuck.
    pub kind: Kind,
    /// How often, or for how many seconds.
    pub times: u32,
    /// The calls or the error; empty where there is none to name.
    pub what: Vec<String>,
    /// How many new results there were since it was last found to be stuck.
    pub news: u32,
}

impl Found {
    /// An agent that was silent for so many seconds.
    #[must_use]
    pub fn silent(seconds: u32) -> Self {
        Self { kind: Kind::Silent, times: seconds, what: Vec::new(), news: 0 }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (times, what) = (self.times, format!("“{}”", self.what.join("”, “")));
        match self.kind {
            Kind::SameCall => write!(f, "made the same call {times} times in a row, with the same result: {what}"),
            Kind::SameRounds => {
                write!(
                    f,
                    "made the same {} calls in turn {times} times, with the same results: {what}",
                    self.what.len()
                )
            }
            Kind::SameError => write!(f, "got the same error {times} times, with nothing new in between: {what}"),
            Kind::Waiting => write!(f, "made the same call {times} times in a row: {what}"),
            Kind::Compactions => {
                write!(f, "filled the conversation {times} times so that it was compacted, with nothing new in between")
            }
            Kind::Silent => write!(f, "said and did nothing for {times} seconds"),
            Kind::IdleTurns => write!(f, "changed nothing in {times} turns in a row"),
            Kind::TalkingTurns => write!(f, "called no tool and changed nothing in {times} turns in a row"),
            Kind::UndoingTurns => write!(f, "made and undid the same changes in {times} turns in a row"),
        }
    }
}
