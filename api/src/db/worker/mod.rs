//! What workers do to the queue: claims, completions, leases, and the list of coordinators.

pub mod claims;
pub mod completions;
pub mod coordinators;
pub mod leases;
