//! The system itself: its settings.

pub mod probe;
pub mod settings;
pub mod transfer;
