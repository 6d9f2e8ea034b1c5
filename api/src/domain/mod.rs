//! Decisions without IO. Nothing here knows HTTP or the database; a refusal is a code and a sentence.

pub mod actor;
pub mod agent_tasks;
pub mod agents;
pub mod checkpoints;
pub mod cloud;
pub mod forges;
pub mod hooks;
pub mod jobs;
pub mod live;
pub mod meaning;
pub mod people;
pub mod projects;
pub mod refusal;
pub mod schedules;
pub mod system;
pub mod text;
pub mod tickets;
pub mod words;
pub mod work_orders;
pub mod worker;

use serde::{Deserialize, Deserializer};

/// Distinguishes a field that is absent (`None`) from one that is `null` (`Some(None)`); use with `#[serde(default)]`.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
