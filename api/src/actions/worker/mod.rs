//! Workers: the context of a runner, leases, and what each coordinator should do.

pub mod context;
pub mod coordinators;
pub mod leases;
pub mod review;
