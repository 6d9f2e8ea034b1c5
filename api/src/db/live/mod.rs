//! The event log.

pub mod events;
