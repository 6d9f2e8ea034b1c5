//! The system itself: its settings.

pub mod settings;
