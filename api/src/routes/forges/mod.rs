//! Forges: credentials, secrets of webhooks, the webhooks themselves, what they delivered, and reviews from here.

pub mod credentials;
pub mod deliveries;
pub mod reviews;
pub mod secrets;
pub mod webhooks;
