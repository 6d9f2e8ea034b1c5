//! Forges: credentials, webhooks' secrets and deliveries, pull requests and what is said about them.

pub mod comments;
pub mod credentials;
pub mod deliveries;
pub mod issues;
pub mod looks;
pub mod orders;
pub mod posts;
pub mod pulls;
pub mod reviews;
pub mod secrets;
pub mod sweeps;
