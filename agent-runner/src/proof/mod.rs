//! What a ticket has to show before it counts as done, and what it showed. Pure; what runs the commands is the attempt.

mod evidence;
mod terms;

pub use evidence::{CommandRun, Evidence, Purpose};
pub use terms::{FILE, Terms, TermsError};
