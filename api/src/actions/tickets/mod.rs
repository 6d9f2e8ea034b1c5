//! Tickets: create, change, delete, cancel, and what runners report about them.

pub(in crate::actions) mod apply_move;
pub(in crate::actions) mod attempt;

pub mod append_log;
pub mod cancel;
pub mod complete;
pub mod create;
pub mod delete;
pub mod messages;
pub mod store_diff;
pub mod store_usage;
pub mod update;
