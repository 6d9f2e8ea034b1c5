//! Decisions without IO: what a move of a ticket does to its job, which settings there are, what a runner is told.

pub mod board;
pub mod context;
pub mod outcome;
pub mod settings;
pub mod text;
