//! What workers and runners are told, and what they may send.

pub mod context;
pub mod limits;
