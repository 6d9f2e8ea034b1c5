//! Injected faults, with a check of every job at the end.

pub(crate) mod coordinator;
mod decisions;
pub(crate) mod queue;
