//! Jobs that are asked for by an agent's name: create, cancel, retry, and what came of them.

pub mod change;
pub mod create;
pub mod fleet;
pub mod read;
