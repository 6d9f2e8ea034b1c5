//! Claims jobs over HTTP and runs one agent container each, never more than it was told to.
//!
//! Everything about a job can be found again in three places: the API's lease, the container with its labels, and the
//! outbox. So a coordinator may end at any moment; the next one on the same state directory goes on. It kills only what
//! is cancelled, fenced or past its deadline, and never because the API can't be reached. The program is in `main.rs`.

pub mod claims;
pub mod cli;
pub mod config;
pub mod deadline;
pub mod disk;
pub mod doctor;
pub mod engine;
pub mod heartbeat;
pub mod images;
pub mod job;
pub mod metrics;
pub mod readiness;
pub mod service;
pub mod state_dir;
