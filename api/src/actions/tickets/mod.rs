//! Tickets: create, change, delete, cancel, and what runners report about them.

mod apply_move;

pub mod append_log;
pub mod cancel;
pub mod complete;
pub mod create;
pub mod delete;
pub mod update;
