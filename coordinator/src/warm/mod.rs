//! Containers that are ready before there is a job for them, so that its first prompt needn't wait for a container and an agent to start.
//!
//! Each is for one project, whose cache volume it has, and is used once: a job's container is one of these under another name, which
//! gets its job over standard input. Until then it has no secret and no attempt. What no coordinator holds the standard input
//! of any more ends by itself, and is removed like everything that is left over.

mod pool;
mod spec;

pub use pool::{Ready, Step, Warm};
pub use spec::{Kind, job_line};
