//! What the attempt remembers, kept at the API after each turn: the next attempt of the same job, on any host, goes on from there.

use super::Attempt;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
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
    pub(super) async fn keep(&mut self, attempt: &Attempt, turn: u32, director: String, agent: Option<String>) {
        self.last = Some((turn, agent.clone()));
        self.send(attempt, turn, Archive { director, agent }).await;
    }

    /// Keeps the last conversation again, with another place of the Director.
    pub(super) async fn keep_again(&mut self, attempt: &Attempt, director: String) {
        let (turn, agent) = self.last.clone().unwrap_or_default();
        self.send(attempt, turn, Archive { director, agent }).await;
    }

    async fn send(&mut self, attempt: &Attempt, turn: u32, archive: Archive) {
        let Ok(Ok(packed)) = tokio::task::spawn_blocking(move || pack(&archive)).await else { return };
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
    let (project, ticket, agent) = (attempt.config.project, attempt.config.ticket, attempt.agent.kind.as_str());
    attempt.client.keep_conversation(project, ticket, turn, agent, packed, Retry::Never).await
}

/// What an earlier attempt of the same job kept, if this agent program can go on from it.
pub(super) async fn earlier(attempt: &Attempt) -> Option<Archive> {
    let info = attempt.context.conversation.as_ref()?;
    if info.bytes == 0 || info.agent != attempt.agent.kind.as_str() || attempt.config.review.is_some() {
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
        let archive = Archive { director: "{}".to_owned(), agent: Some("x".repeat(100_000)) };
        let packed = pack(&archive).unwrap();
        assert!(packed.len() < 10_000);
        assert_eq!(unpack(&packed), Some(archive));
        assert_eq!(unpack(&packed[..packed.len() / 2]), None);
        assert_eq!(unpack(b"something else"), None);
    }
}
