//! Faults on purpose, with an account of every job at the end.

pub(crate) mod coordinator;
pub(crate) mod queue;
