//! The event log, and what live views read beside it.

pub mod events;
pub mod fleet;
pub mod surroundings;
