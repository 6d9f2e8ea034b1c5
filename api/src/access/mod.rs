//! Who calls, and what they may do: keys, job tokens, API tokens, people's sessions, and the caller that each handler gets.
//!
//! [`Need`] says what an endpoint needs; the guard finds out who calls and whether that is enough, with the roles of
//! [`crate::domain::people::rights`]. The worker key guards the worker endpoints, the application's key acts as an admin
//! on the rest. Where a key is not set, its endpoints are open to callers on this machine, as the contract requires;
//! those of the application only until a person exists.

mod caller;
mod client;
pub mod cookies;
mod guards;
mod headers;
mod keys;
mod need;
mod same_origin;
mod this_machine;
mod visible;
mod who;

pub use crate::origins::AllowedOrigins;
pub use caller::Caller;
pub use client::ComesFrom;
pub use guards::{MaybeCaller, guard};
pub use need::Need;
pub use visible::Visible;
