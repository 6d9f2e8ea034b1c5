//! Who calls, and what they may do: keys, job tokens, and the caller that each handler gets.
//!
//! The worker key guards the worker endpoints, the application's key guards the rest, either gives access to the
//! memory. Where a key is not set, its endpoints are open, as the contract requires, but only to callers on this
//! machine.

mod caller;
mod guards;
mod keys;
mod this_machine;
mod visible;

pub use crate::origins::AllowedOrigins;
pub use caller::Caller;
pub use guards::{require_app, require_app_or_worker, require_worker, require_worker_or_job};
pub use visible::Visible;
