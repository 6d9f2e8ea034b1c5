//! The calls about checkpoints, and about the conversation that goes on after them.

use super::{CALL_TIMEOUT, Call, ClientError, DIFF_TIMEOUT, WorkerClient, parse};
use crate::{
    ConversationInfo, Held, HoldRequest, MAX_WAIT_MS, Message, OpenCheckpoint, ProjectId, RunnerCheckpoint,
    StoreOutput, TicketId,
};
use reqwest::{Method, StatusCode};
use std::time::Duration;
use terarchitect_outbound::Retry;
use uuid::Uuid;

impl WorkerClient {
    /// Opens a checkpoint of the attempt that runs. The same key again returns what became of the first one.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn open_checkpoint(
        &self,
        project: ProjectId,
        ticket: TicketId,
        request: &OpenCheckpoint,
        retry: Retry,
    ) -> Result<RunnerCheckpoint, ClientError> {
        self.post(format!("api/projects/{project}/tickets/{ticket}/checkpoints"), request, retry).await
    }

    /// What became of a checkpoint, as soon as that is known, and at the latest after `wait`, of which the server grants up to
    /// 25 seconds.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn checkpoint(
        &self,
        project: ProjectId,
        ticket: TicketId,
        checkpoint: Uuid,
        wait: Duration,
        retry: Retry,
    ) -> Result<RunnerCheckpoint, ClientError> {
        let wait = wait.min(Duration::from_millis(MAX_WAIT_MS.into()));
        let wait_ms = wait.as_millis().to_string();
        let path = format!("api/projects/{project}/tickets/{ticket}/checkpoints/{checkpoint}");
        let query = [("wait_ms", wait_ms.as_str())];
        let call = Call { method: Method::GET, path, query: &query, timeout: CALL_TIMEOUT + wait };
        self.send(call, None::<&()>, retry).await
    }

    /// Lets the job wait for a person without this attempt.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn hold(
        &self,
        project: ProjectId,
        ticket: TicketId,
        request: &HoldRequest,
        retry: Retry,
    ) -> Result<Held, ClientError> {
        self.post(format!("api/projects/{project}/tickets/{ticket}/hold"), request, retry).await
    }

    /// Stores what came of a job that works on data.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn store_output(
        &self,
        project: ProjectId,
        ticket: TicketId,
        request: &StoreOutput,
        retry: Retry,
    ) -> Result<Message, ClientError> {
        let path = format!("api/projects/{project}/tickets/{ticket}/output");
        self.send(Call { method: Method::PUT, path, query: &[], timeout: DIFF_TIMEOUT }, Some(request), retry).await
    }

    /// Keeps what the attempt remembers after a turn. An empty archive says that nothing is worth to go on from.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn keep_conversation(
        &self,
        project: ProjectId,
        ticket: TicketId,
        turn: u32,
        agent: &str,
        archive: &[u8],
        retry: Retry,
    ) -> Result<ConversationInfo, ClientError> {
        let turn = turn.to_string();
        let query = [("turn", turn.as_str()), ("agent", agent)];
        let path = format!("api/projects/{project}/tickets/{ticket}/conversation");
        let call = Call { method: Method::PUT, path, query: &query, timeout: DIFF_TIMEOUT };
        let (_, url, bytes) = self.send_bytes(&call, archive, retry).await?;
        parse(&call.method, url, &bytes)
    }

    /// What an earlier attempt of the same job kept; none if it kept nothing.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn conversation(
        &self,
        project: ProjectId,
        ticket: TicketId,
        retry: Retry,
    ) -> Result<Option<Vec<u8>>, ClientError> {
        let path = format!("api/projects/{project}/tickets/{ticket}/conversation");
        let call = Call { method: Method::GET, path, query: &[], timeout: DIFF_TIMEOUT };
        let (status, _, bytes) = self.send_raw(&call, None::<&()>, retry).await?;
        Ok((status != StatusCode::NO_CONTENT && !bytes.is_empty()).then_some(bytes))
    }
}
