//! One job inside the container: clones, drives the coding agent, pushes, opens the pull request.

pub mod director;
pub mod prompts;
pub mod worker;
