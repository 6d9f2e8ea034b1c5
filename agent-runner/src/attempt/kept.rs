//! What the attempt remembers, kept at the API after each turn: the next attempt of the same job, on any host, goes on from there.

use super::Attempt;
use super::task::Scratch;
use crate::git::{Branches, branches_of, bring_in};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use terarchitect_outbound::Retry;
use terarchitect_worker_api::ConversationInfo;

/// The largest conversation that is read back, in bytes: what is compressed well may be much larger than its archive.
const MAX_BYTES: u64 = 512 * 1024 * 1024;

/// A conversation, as it is packed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Archive {
    /// Where the Director was.
    pub(super) director: String,
    /// What the agent remembers.
    pub(super) agent: Option<String>,
    /// The branch's head, where it could not be pushed: only an attempt that has it can go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unpushed_head: Option<String>,
    /// What was done of a job that has no repository of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) work: Option<Work>,
}

/// The branches of a job that has no repository of its own.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Work {
    heads: BTreeMap<String, String>,
    /// In base64.
    pack: String,
}

impl From<Branches> for Work {
    fn from(branches: Branches) -> Self {
        Self { heads: branches.heads, pack: STANDARD.encode(branches.pack) }
    }
}

impl Work {
    fn branches(&self) -> Option<Branches> {
        Some(Branches { heads: self.heads.clone(), pack: STANDARD.decode(&self.pack).ok()? })
    }
}

/// Keeps conversations, as long as the API takes them.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    /// The last one, for a job that is held later.
    last: Option<(u32, Option<String>)>,
    /// The API does not take them: an older one, or no job.
    refused: bool,
}

impl Keeper {
    /// Whether there is any use in keeping one.
    pub(super) fn keeps(&self, attempt: &Attempt) -> bool {
        !self.refused && attempt.config.review.is_none()
    }

    /// Takes over what an earlier attempt kept.
    pub(super) fn resume(&mut self, attempt: &Attempt, earlier: &Archive) {
        let turn = attempt.context.conversation.as_ref().map_or(0, |info| info.turn);
        self.last = Some((u32::try_from(turn).unwrap_or(0), earlier.agent.clone()));
    }

    /// Keeps a conversation. A failure costs nothing but that a later attempt may start again.
    /// `unpushed_head` is the branch's head, if it could not be pushed.
    pub(super) async fn keep(
        &mut self,
        attempt: &Attempt,
        turn: u32,
        director: String,
        (agent, unpushed_head): (Option<String>, Option<String>),
    ) {
        self.last = Some((turn, agent.clone()));
        self.send(attempt, turn, Archive { director, agent, unpushed_head, work: None }).await;
    }

    /// Keeps the last conversation again, with another place of the Director.
    pub(super) async fn keep_again(&mut self, attempt: &Attempt, director: String) {
        let (turn, agent) = self.last.clone().unwrap_or_default();
        self.send(attempt, turn, Archive { director, agent, unpushed_head: None, work: None }).await;
    }

    async fn send(&mut self, attempt: &Attempt, turn: u32, archive: Archive) {
        let scratch = attempt.scratch.as_ref().map(Scratch::folder);
        let mask = attempt.mask.clone();
        let packing = tokio::task::spawn_blocking(move || {
            // The agent may have read secrets that it was given, and repeats them to its model.
            let (director, agent) = (mask.apply(&archive.director), archive.agent.map(|agent| mask.apply(&agent)));
            let work = scratch.map(|folder| branches_of(&folder)).transpose().map_err(std::io::Error::other)?;
            pack(&Archive { director, agent, work: work.map(Work::from), ..archive })
        });
        let packed = match packing.await.map_err(std::io::Error::other).flatten() {
            Ok(packed) => packed,
            Err(error) => {
                tracing::warn!(%error, "could not pack the conversation for a later attempt");
                return;
            }
        };
        if packed.len() > ConversationInfo::MAX_BYTES {
            tracing::info!(bytes = packed.len(), "the conversation is too large to be kept at the API");
            return;
        }
        if let Err(error) = store(attempt, turn, &packed).await {
            self.refused = error.status().is_some_and(|status| status == 404 || status == 401);
            tracing::info!(error = error.chain(), "could not keep the conversation at the API");
        }
    }
}

/// Says that nothing is worth to go on from: after a failure of the agent, the next attempt starts again.
pub(super) async fn forget(attempt: &Attempt) {
    if attempt.config.review.is_none()
        && let Err(error) = store(attempt, 0, &[]).await
    {
        tracing::debug!(error = error.chain(), "could not forget the conversation at the API");
    }
}

async fn store(
    attempt: &Attempt,
    turn: u32,
    packed: &[u8],
) -> Result<ConversationInfo, terarchitect_worker_api::client::ClientError> {
    let (project, ticket, agent) = (attempt.config.project, attempt.config.ticket, attempt.agent.kind().as_str());
    attempt.client.keep_conversation(project, ticket, turn, agent, packed, Retry::Never).await
}

/// What an earlier attempt of the same job kept, if this agent program can go on from it.
pub(super) async fn earlier(attempt: &Attempt) -> Option<Archive> {
    let info = attempt.context.conversation.as_ref()?;
    if info.bytes == 0 || info.agent != attempt.agent.kind().as_str() || attempt.config.review.is_some() {
        return None;
    }
    let (project, ticket) = (attempt.config.project, attempt.config.ticket);
    let read = attempt.client.conversation(project, ticket, Retry::For(super::API_PATIENCE)).await;
    match read {
        Ok(packed) => unpack(&packed?),
        Err(error) => {
            tracing::warn!(error = error.chain(), "could not read the earlier conversation; starting without it");
            None
        }
    }
}

/// Brings what an earlier attempt did into this one's repository, where the job has none of its own. Where that fails, the attempt
/// starts again: a conversation about work that is not there is of no use.
pub(super) fn bring_work(attempt: &Attempt, earlier: Archive) -> Option<Archive> {
    let Some(scratch) = &attempt.scratch else { return Some(earlier) };
    let branches = earlier.work.as_ref()?.branches()?;
    match bring_in(&scratch.folder(), &branches) {
        Ok(()) => Some(earlier),
        Err(error) => {
            tracing::warn!(%error, "could not bring in what an earlier attempt did; starting without it");
            None
        }
    }
}

fn pack(archive: &Archive) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&serde_json::to_vec(archive)?)?;
    encoder.finish()
}

fn unpack(packed: &[u8]) -> Option<Archive> {
    let mut text = Vec::new();
    GzDecoder::new(packed).take(MAX_BYTES).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_can_be_read_again() {
        let agent = Some("x".repeat(100_000));
        let archive = Archive { director: "{}".to_owned(), agent, unpushed_head: None, work: None };
        let packed = pack(&archive).unwrap();
        assert!(packed.len() < 10_000);
        assert_eq!(unpack(&packed), Some(archive));
        assert_eq!(unpack(&packed[..packed.len() / 2]), None);
        assert_eq!(unpack(b"something else"), None);
    }
}
