//! What workers and runners receive, and what they may send.

pub mod context;
pub mod fleet;
pub mod limits;
