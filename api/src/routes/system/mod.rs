//! The system itself: health, metrics, settings, the OpenAPI document.

pub mod health;
pub mod metrics;
pub mod openapi;
#[cfg(feature = "web")]
pub mod page;
pub mod settings;
pub mod trials;
