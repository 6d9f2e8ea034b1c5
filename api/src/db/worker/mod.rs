//! What workers do to the queue: claims, completions, leases, and which coordinators there are.

pub mod claims;
pub mod completions;
pub mod coordinators;
pub mod leases;
