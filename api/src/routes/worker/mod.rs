//! What workers and runners call, and coordinators as operators see them.

pub mod checkpoints;
pub mod claims;
pub mod context;
pub mod coordinators;
pub mod heartbeat;
pub mod reports;
pub mod steering;
pub mod tickets;
