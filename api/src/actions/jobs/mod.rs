//! Jobs: enqueue, retry, cancel, end an attempt.

pub mod cancel;
pub mod end_attempt;
pub mod enqueue;
pub mod report;
pub mod retry;
