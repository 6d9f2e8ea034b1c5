//! Workers: what a runner receives, leases, and what each coordinator should do.

pub mod context;
pub mod coordinators;
pub mod leases;
