//! Placeholder.
pub mod postgres;
