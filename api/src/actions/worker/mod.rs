//! Workers: what a runner is told, leases, and what each coordinator should do.

pub mod context;
pub mod coordinators;
pub mod leases;
