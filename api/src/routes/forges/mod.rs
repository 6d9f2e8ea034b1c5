//! Forges: credentials, secrets of webhooks, the webhooks themselves, and what they delivered.

pub mod credentials;
pub mod deliveries;
pub mod secrets;
pub mod webhooks;
