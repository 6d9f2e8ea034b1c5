//! Forges: credentials, webhooks' secrets and deliveries, pull requests and what is said about them.

pub mod comments;
pub mod credentials;
pub mod deliveries;
pub mod orders;
pub mod posts;
pub mod pulls;
pub mod reviews;
pub mod secrets;
