//! Breaking things on purpose, with an account at the end.

pub(crate) mod coordinator;
pub(crate) mod queue;
