//! All ways in of one attempt, and what may go through them together: its budget.

use super::door::Door;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use terarchitect_worker_api::{BudgetLeft, BudgetLimit, Price, Used};

/// The models behind a gateway, and how much all of them may be used.
#[derive(Debug)]
pub(super) struct Doors {
    all: Vec<Arc<Door>>,
    budget: Mutex<Budget>,
}

#[derive(Debug, Default)]
struct Budget {
    left: BudgetLeft,
    /// What each door's model costs, in their order; none where that is not known.
    prices: Vec<Option<Price>>,
}

impl Doors {
    pub(super) fn new(all: Vec<Arc<Door>>) -> Self {
        Self { all, budget: Mutex::default() }
    }

    pub(super) fn all(&self) -> &[Arc<Door>] {
        &self.all
    }

    pub(super) fn find(&self, name: &str) -> Option<&Arc<Door>> {
        self.all.iter().find(|door| door.of.name == name)
    }

    /// Sets what may be used from now on. `model` says which model is behind a name.
    pub(super) fn limit(&self, left: BudgetLeft, model: impl Fn(&str) -> Option<String>) {
        let prices = self.all.iter().map(|door| left.prices.find(&model(door.of.name)?));
        *self.budget() = Budget { prices: prices.collect(), left };
    }

    /// The limit that is reached, if one is.
    pub(super) fn reached(&self) -> Option<BudgetLimit> {
        let budget = self.budget();
        budget.left.reached(&self.used_within(&budget))
    }

    /// Lets a call of a model out, unless a limit is reached: of two calls at once that want the last of it, one is refused.
    pub(super) fn let_out(&self, door: &Arc<Door>) -> Result<Underway, BudgetLimit> {
        let budget = self.budget();
        if !budget.left.is_empty()
            && let Some(limit) = budget.left.reached(&self.used_within(&budget))
        {
            return Err(limit);
        }
        Ok(Underway::begin(door.clone()))
    }

    /// What was used so far, with calls that are not over.
    fn used_within(&self, budget: &Budget) -> Used {
        let mut used = Used::default();
        for (at, door) in self.all.iter().enumerate() {
            let (spent, underway) = door.spent_and_underway();
            used.calls += spent.calls + underway;
            used.tokens += spent.tokens.total();
            let price = budget.prices.get(at).copied().flatten();
            used.usd += price.map_or(0.0, |price| price.of(&spent.tokens.as_usage()));
        }
        used
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call of a model that is not over. It counts as one until it is dropped.
#[derive(Debug)]
pub(super) struct Underway(Arc<Door>);

impl Underway {
    fn begin(door: Arc<Door>) -> Self {
        door.count_underway(1);
        Self(door)
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.count_underway(-1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Upstream;
    use crate::gateway::door::placeholder;
    use crate::gateway::tokens::Tokens;
    use crate::gateway::wire::Said;
    use std::time::Duration;
    use terarchitect_worker_api::{BudgetLevel, BudgetUnit, Prices};
    use tokio::time::Instant;

    fn doors() -> Doors {
        let door = |name| {
            let (patience, silence) = (Duration::ZERO, Duration::from_secs(1));
            let of =
                Upstream { name, base: "http://model/v1".parse().unwrap(), key: None, model: None, patience, silence };
            Arc::new(Door::new(of, reqwest::Client::new(), placeholder()))
        };
        Doors::new(vec![door("agent"), door("director")])
    }

    fn left(unit: BudgetUnit, amount: f64) -> BudgetLeft {
        let prices = Prices::parse(r#"{"large": {"input": 1000, "output": 1}}"#).unwrap();
        let limits = vec![BudgetLimit { level: BudgetLevel::Ticket, unit, amount, left: amount }];
        BudgetLeft { limits, prices, ..BudgetLeft::default() }
    }

    fn answered(door: &Door, input: u64) {
        let tokens = Some(Tokens { input, ..Tokens::default() });
        door.answered(Said { tokens, is_whole: true, failure: None }, true, false, Instant::now());
    }

    #[tokio::test]
    async fn agent_and_director_share_one_budget_and_parallel_calls_do_not_pass_it() {
        let doors = doors();
        let (agent, director) = (doors.find("agent").unwrap(), doors.find("director").unwrap());
        assert!(doors.let_out(agent).is_ok(), "nothing is limited");
        doors.limit(left(BudgetUnit::Calls, 3.0), |_| None);
        answered(agent, 1);
        answered(director, 1);
        let last = doors.let_out(agent).unwrap();
        assert_eq!(doors.let_out(director).unwrap_err().unit, BudgetUnit::Calls);
        drop(last);
        assert!(doors.let_out(director).is_ok(), "a call that failed used nothing");
        doors.limit(left(BudgetUnit::Calls, 2.0), |_| None);
        assert!(doors.let_out(agent).is_err() && doors.reached().is_some(), "others have used more");
    }

    #[tokio::test]
    async fn what_is_known_of_the_cost_is_counted() {
        let doors = doors();
        doors.limit(left(BudgetUnit::Usd, 1.0), |name| (name == "agent").then(|| "large".to_owned()));
        answered(doors.find("director").unwrap(), 1_000_000);
        assert_eq!(doors.reached(), None);
        answered(doors.find("agent").unwrap(), 999);
        assert_eq!(doors.reached(), None);
        answered(doors.find("agent").unwrap(), 1);
        assert_eq!(doors.reached().map(|limit| limit.unit), Some(BudgetUnit::Usd));
    }
}
