//! What an attempt's models may use, and what happens at the end of that: the work so far is shown in a draft, and a person is asked
//! for more.

use super::checkpoints::Stopped;
use super::models::Models;
use super::{Attempt, AttemptError};
use serde_json::{Map, json};
use std::sync::{Mutex, PoisonError};
use terarchitect_worker_api::{
    BudgetLeft, BudgetLimit, BudgetUnit, CheckpointStage, CheckpointType, Stop, Used, needs_tokens,
};

/// What may be used, as the API said it last.
#[derive(Debug, Default)]
pub(super) struct Heard(Mutex<BudgetLeft>);

impl Heard {
    pub(super) fn new(left: BudgetLeft) -> Self {
        Self(Mutex::new(left))
    }

    pub(super) fn get(&self) -> BudgetLeft {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, left: BudgetLeft) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = left;
    }
}

impl Attempt {
    /// Stops before anything is done, where nothing may be used.
    pub(super) async fn require_budget(&self) -> Result<(), AttemptError> {
        self.warn_of_unknown_costs();
        // For work that is done only its report is missing.
        if self.context.finished_work.is_some() {
            return Ok(());
        }
        while let Some(limit) = self.budget.get().reached(&Used::default()) {
            if let Stopped::Waits { id, message } = self.stop_for_more(&limit).await? {
                self.hold(id, message).await?;
            }
            self.hear_what_was_granted(None).await?;
            require_other(&limit, self.budget.get().reached(&Used::default()))?;
        }
        Ok(())
    }

    /// Asks a person for more of a budget that is used up, and waits for a short time.
    pub(super) async fn stop_for_more(&self, limit: &BudgetLimit) -> Result<Stopped, AttemptError> {
        let stop = Stop {
            stage: CheckpointStage::Budget,
            kind: CheckpointType::ApprovalRequired,
            message: Some(format!("{}: should it be granted once more?", limit.used_up())),
            name: None,
        };
        let about = self.budget.get().key(limit);
        self.stop(&stop, &about, Map::from_iter([("budget".to_owned(), json!(limit))])).await
    }

    /// Looks what may be used now that a person has granted more.
    pub(super) async fn hear_what_was_granted(&self, models: Option<&Models>) -> Result<(), AttemptError> {
        let left = self.tell_at_once(models).await?;
        self.hear(left, models);
        Ok(())
    }

    /// Takes what the API says that may be used.
    pub(super) fn hear(&self, left: BudgetLeft, models: Option<&Models>) {
        if let Some(models) = models {
            models.limit(self, left.clone());
        }
        self.budget.set(left);
    }

    fn warn_of_unknown_costs(&self) {
        let left = self.budget.get();
        let director = self.agent.director.as_ref().map(|director| director.model.clone());
        let models = [self.agent.model().map(|model| model.model.clone()), director];
        let mut unknown: Vec<_> =
            models.into_iter().flatten().filter(|model| left.prices.find(model).is_none()).collect();
        unknown.dedup();
        if left.is_in_usd_alone() && !unknown.is_empty() {
            self.reporter.log("budget", &needs_tokens(&unknown), None);
        }
    }
}

/// Refuses to ask again for what was just granted.
pub(super) fn require_other(granted: &BudgetLimit, reached: Option<BudgetLimit>) -> Result<(), AttemptError> {
    let same = |reached: BudgetLimit| {
        (reached.level, reached.unit, reached.amount.to_bits())
            == (granted.level, granted.unit, granted.amount.to_bits())
    };
    match reached {
        Some(reached) if same(reached) => {
            Err(AttemptError::NotGranted { limit: format!("{} ({})", limit_of(granted.unit), granted.shown()) })
        }
        _ => Ok(()),
    }
}

fn limit_of(unit: BudgetUnit) -> &'static str {
    match unit {
        BudgetUnit::Usd => "its limit in dollars",
        BudgetUnit::Tokens => "its limit of tokens",
        BudgetUnit::Calls => "its limit of calls",
    }
}
