//! Notices an agent that is stuck, and says what is tried next. Pure: what the agent does goes in, what was found comes out.
//!
//! [`Calls`] looks at one turn while it runs, [`Turns`] at turns that have ended. What they find is answered in steps
//! ([`Ladder`]): the agent is told, its conversation is compacted, another conversation begins with a summary, and in the end a
//! person is asked or the work stops with the reason. Progress begins the steps again.

mod calls;
mod found;
mod ladder;
mod thresholds;
mod turns;

pub use calls::{Call, Calls, Seen};
pub use found::{Found, Kind};
pub use ladder::{Abilities, Ladder, Remedy};
pub use thresholds::Thresholds;
pub use turns::{Turn, Turns};

use sha2::{Digest, Sha256};

/// The same for the same text in each version of this program, since it is kept for the next attempt.
fn hash(text: &str) -> u64 {
    Sha256::digest(text).iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
}
