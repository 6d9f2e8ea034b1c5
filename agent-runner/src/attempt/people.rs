//! What people write to the agent: taken before each prompt, and confirmed once the agent has accepted it.

use super::Attempt;
use crate::director::Words;
use std::collections::HashSet;
use std::time::Duration;
use terarchitect_outbound::Retry;
use terarchitect_worker_api::client::{ClientError, WorkerClient};
use terarchitect_worker_api::{PersonMessage, ProjectId, TicketId, TurnOfAttempt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// For how long a prompt waits for the API to say what people wrote.
const TAKE_PATIENCE: Duration = Duration::from_secs(10);
/// For how long a confirmation is retried.
const CONFIRM_PATIENCE: Duration = Duration::from_secs(60);

/// Takes messages for turns, and remembers which were in a prompt.
#[derive(Debug, Default)]
pub(super) struct People {
    /// What was taken last, and for which turn.
    taken: Option<(u32, Vec<Words>)>,
    /// What a prompt had: never given again, even where its confirmation was lost.
    given: HashSet<Uuid>,
    confirming: Option<JoinHandle<()>>,
    /// The API has no messages, since it is older than this program.
    unknown: bool,
}

impl People {
    /// What people wrote for this turn. A failure is not one of the attempt: the next turn asks again.
    pub(super) async fn take(&mut self, attempt: &Attempt, turn: u32) -> Vec<Words> {
        if let Some((of, words)) = &self.taken
            && *of == turn
            && !words.is_empty()
        {
            return words.clone();
        }
        if self.unknown {
            return Vec::new();
        }
        let (project, ticket) = ticket_of(attempt);
        let of = turn_of(turn);
        let taking = attempt.client.take_messages(project, ticket, &of, Retry::For(TAKE_PATIENCE));
        let taken = tokio::select! {
            taken = tokio::time::timeout(TAKE_PATIENCE, taking) => taken,
            () = attempt.cancel.cancelled() => return Vec::new(),
        };
        let messages = match taken {
            Ok(Ok(taken)) => taken.messages,
            Ok(Err(error)) => {
                self.unknown = is_unknown(&error);
                tracing::info!(error = error.chain(), "could not look whether people wrote to the agent");
                Vec::new()
            }
            Err(_) => {
                tracing::info!("could not look whether people wrote to the agent: the API did not respond in time");
                Vec::new()
            }
        };
        let (given, new): (Vec<_>, Vec<_>) = messages.into_iter().partition(|message| self.given.contains(&message.id));
        if new.is_empty() && !given.is_empty() {
            // An earlier turn had them, and its confirmation was lost.
            self.confirming = Some(tokio::spawn(confirm(attempt.client.clone(), ticket_of(attempt), turn)));
        }
        // A person may paste a key that the agent must not see.
        let words = |message: PersonMessage| Words { id: message.id, text: attempt.mask.apply(&message.text) };
        let words: Vec<Words> = new.into_iter().map(words).collect();
        self.taken = Some((turn, words.clone()));
        words
    }

    /// Confirms these words as soon as the agent has accepted the prompt that has them.
    pub(super) fn confirm(&mut self, attempt: &Attempt, turn: u32, words: &[Words], accepted: oneshot::Receiver<()>) {
        if words.is_empty() {
            return;
        }
        self.given.extend(words.iter().map(|words| words.id));
        let confirming = confirm(attempt.client.clone(), ticket_of(attempt), turn);
        self.confirming = Some(tokio::spawn(async move {
            // Closed without a word: the prompt never arrived, and another attempt gets the messages.
            if accepted.await.is_ok() {
                confirming.await;
            }
        }));
    }

    /// Waits for the confirmation of the turn that has ended.
    pub(super) async fn confirmed(&mut self) {
        if let Some(confirming) = self.confirming.take()
            && let Err(error) = confirming.await
        {
            tracing::warn!(%error, "the task that confirms a message failed");
        }
    }
}

fn turn_of(turn: u32) -> TurnOfAttempt {
    TurnOfAttempt { attempt: None, turn: i32::try_from(turn).unwrap_or(i32::MAX) }
}

fn ticket_of(attempt: &Attempt) -> (ProjectId, TicketId) {
    (attempt.config.project, attempt.config.ticket)
}

async fn confirm(client: WorkerClient, (project, ticket): (ProjectId, TicketId), turn: u32) {
    let of = turn_of(turn);
    if let Err(error) = client.messages_delivered(project, ticket, &of, Retry::For(CONFIRM_PATIENCE)).await {
        tracing::warn!(error = error.chain(), "could not confirm that a person's message was delivered");
    }
}

/// An API without this endpoint.
fn is_unknown(error: &ClientError) -> bool {
    matches!(error.code(), Some("no_such_address" | "method_not_allowed"))
}
