//! Tells the API what the calls of models came to, while an attempt works and at its end: what it cost is known then, however it
//! ends. The answer says what may still be used, by what other attempts have used meanwhile.

use super::models::{AGENT, DIRECTOR, Models};
use super::{API_PATIENCE, Attempt, AttemptError};
use crate::gateway::Spent;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use terarchitect_outbound::Retry;
use terarchitect_worker_api::{BudgetLeft, ModelUsage, StoreUsageRequest};

/// How often it is told while an attempt works.
const EVERY: Duration = Duration::from_secs(10);
/// For how long the last report is retried.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same of an attempt that is cancelled.
const CANCELLED_PATIENCE: Duration = Duration::from_secs(1);

/// Whether the API takes reports.
#[derive(Debug, Default)]
pub(super) struct Taken {
    refused: AtomicBool,
}

impl Attempt {
    /// Tells what changed, again and again. Where there is a budget, also nothing: others may have used it up.
    pub(super) async fn keep_telling(&self, models: &Models) -> Infallible {
        let mut told = Vec::new();
        loop {
            tokio::time::sleep(EVERY).await;
            let usage = self.usage(models);
            if (usage != told || !self.budget.get().is_empty()) && self.tell(models, usage.clone(), Retry::Never).await
            {
                told = usage;
            }
        }
    }

    /// Tells all of it. A failure costs nothing but that it is not known, and an attempt that is cancelled hardly waits for it: what
    /// it did has to be kept before it is killed.
    pub(super) async fn tell_usage(&self, models: &Models) {
        let usage = self.usage(models);
        let patience = if self.cancel.is_cancelled() { CANCELLED_PATIENCE } else { PATIENCE };
        if !usage.is_empty()
            && tokio::time::timeout(patience, self.tell(models, usage, Retry::For(patience))).await.is_err()
        {
            tracing::debug!("the API did not take what the calls of models came to in time");
        }
    }

    /// Tells all of it, and returns what may be used.
    pub(super) async fn tell_at_once(&self, models: Option<&Models>) -> Result<BudgetLeft, AttemptError> {
        let request =
            StoreUsageRequest { attempt: None, models: models.map(|models| self.usage(models)).unwrap_or_default() };
        let (project, ticket) = (self.config.project, self.config.ticket);
        let telling = self.client.store_usage(project, ticket, &request, Retry::For(API_PATIENCE));
        tokio::select! {
            stored = telling => Ok(stored.map_err(AttemptError::Api)?.budget),
            () = self.cancel.cancelled() => Err(AttemptError::Cancelled),
        }
    }

    async fn tell(&self, models: &Models, usage: Vec<ModelUsage>, retry: Retry) -> bool {
        if self.usage_taken.refused.load(Ordering::Relaxed) {
            return false;
        }
        let request = StoreUsageRequest { attempt: None, models: usage };
        let (project, ticket) = (self.config.project, self.config.ticket);
        match self.client.store_usage(project, ticket, &request, retry).await {
            Ok(stored) => {
                self.hear(stored.budget, Some(models));
                true
            }
            Err(error) => {
                // An API without that call, or an attempt that is over.
                let refused = error.status().is_some_and(|status| status == 404 || status == 401 || status == 405);
                self.usage_taken.refused.store(refused, Ordering::Relaxed);
                tracing::debug!(error = error.chain(), "could not tell the API what the calls of models came to");
                false
            }
        }
    }

    fn usage(&self, models: &Models) -> Vec<ModelUsage> {
        let director = self.agent.director.as_ref().map(|director| director.model.clone());
        let agent = self.agent.model().map(|model| model.model.clone());
        let all = [(AGENT, agent), (DIRECTOR, director)].into_iter();
        all.filter_map(|(whose, model)| {
            let Spent { calls, uncounted, failed, tokens } =
                Some(models.spent(whose)).filter(|spent| *spent != Spent::default())?;
            Some(ModelUsage {
                whose: whose.to_owned(),
                model: model?,
                calls: count(calls),
                uncounted: count(uncounted),
                failed: count(failed),
                ..tokens.as_usage()
            })
        })
        .collect()
    }
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
