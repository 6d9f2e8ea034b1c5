//! What a ticket may be expected to use, by what earlier ones used.

use crate::domain::tickets::usage::UsageTotal;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// With fewer tickets than this, a number would say more than is known.
pub const ENOUGH: usize = 5;

/// What an earlier ticket came to, over all attempts at it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EarlierTicket {
    /// The agent of its work order; none for other tickets.
    pub agent: Option<Uuid>,
    /// What its models used; none where nothing was counted, as with agents that ask models elsewhere.
    pub usage: Option<UsageTotal>,
    /// How long its attempts worked, in seconds; none where that is not known.
    pub seconds: Option<f64>,
}

/// Which tickets count as like ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LikeTickets {
    /// Those of the project whose work orders have the same agent.
    Agent,
    /// All of the project.
    Project,
}

/// What half of the tickets and what nine of ten stayed within.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct UsualAmount {
    /// Half of them came to no more.
    pub median: f64,
    /// Nine of ten came to no more.
    pub p90: f64,
}

/// What earlier completed tickets came to. An amount is null where fewer than five tickets have it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ExpectedUsage {
    /// Which tickets these are.
    pub like: LikeTickets,
    /// How many were completed, of the project's last 200.
    pub tickets: usize,
    /// Tokens of every kind.
    pub tokens: Option<UsualAmount>,
    /// Dollars, of the tickets whose cost is fully known.
    pub cost_usd: Option<UsualAmount>,
    /// For how many minutes attempts worked on a ticket, without the time that it waited.
    pub minutes: Option<UsualAmount>,
}

impl ExpectedUsage {
    /// What a ticket with this agent may be expected to use: as those with the same agent, where there are enough of them, else as
    /// all.
    pub fn of(earlier: &[EarlierTicket], agent: Option<Uuid>) -> Self {
        let same: Vec<&EarlierTicket> =
            earlier.iter().filter(|ticket| agent.is_some() && ticket.agent == agent).collect();
        if same.len() >= ENOUGH { Self::over(LikeTickets::Agent, &same) } else { Self::over_all(earlier) }
    }

    fn over_all(earlier: &[EarlierTicket]) -> Self {
        Self::over(LikeTickets::Project, &earlier.iter().collect::<Vec<_>>())
    }

    #[expect(clippy::cast_precision_loss, reason = "tokens of a ticket are far from 2^53")]
    fn over(like: LikeTickets, earlier: &[&EarlierTicket]) -> Self {
        let usages = || earlier.iter().filter_map(|ticket| ticket.usage.as_ref());
        let known = usages().filter(|usage| usage.cost_unknown.is_empty());
        Self {
            like,
            tickets: earlier.len(),
            tokens: usual(usages().map(|usage| usage.tokens as f64)),
            cost_usd: usual(known.filter_map(|usage| usage.cost_usd)),
            minutes: usual(earlier.iter().filter_map(|ticket| ticket.seconds).map(|seconds| seconds / 60.0)),
        }
    }
}

/// By nearest rank, so that each is an amount that a ticket came to.
fn usual(amounts: impl Iterator<Item = f64>) -> Option<UsualAmount> {
    let mut amounts: Vec<f64> = amounts.collect();
    amounts.sort_by(f64::total_cmp);
    let rank = |tenths: usize| amounts.get((amounts.len() * tenths).div_ceil(10).saturating_sub(1)).copied();
    (amounts.len() >= ENOUGH).then_some(())?;
    Some(UsualAmount { median: rank(5)?, p90: rank(9)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(tokens: i64, cost_usd: Option<f64>, agent: Option<Uuid>) -> EarlierTicket {
        let cost_unknown = if cost_usd.is_some() { Vec::new() } else { vec!["m".to_owned()] };
        let usage = UsageTotal { calls: 1, tokens, cost_usd, cost_unknown };
        EarlierTicket { agent, usage: Some(usage), seconds: Some(60.0) }
    }

    #[test]
    fn few_tickets_give_no_number() {
        let four: Vec<_> = (1..=4).map(|n| ticket(n, Some(1.0), None)).collect();
        let expected = ExpectedUsage::of(&four, None);
        assert_eq!((expected.tickets, expected.tokens, expected.cost_usd, expected.minutes), (4, None, None, None));
    }

    #[test]
    fn amounts_are_those_of_a_ticket_and_an_unknown_cost_is_not_nothing() {
        let ten: Vec<_> = (1..=10).map(|n| ticket(n * 100, (n > 5).then_some(0.5), None)).collect();
        let expected = ExpectedUsage::of(&ten, Some(Uuid::from_u128(7)));
        assert_eq!(expected.tokens, Some(UsualAmount { median: 500.0, p90: 900.0 }));
        assert_eq!(expected.cost_usd, Some(UsualAmount { median: 0.5, p90: 0.5 }));
        assert_eq!(expected.minutes, Some(UsualAmount { median: 1.0, p90: 1.0 }));
        assert_eq!(ExpectedUsage::of(&ten[..9], None).cost_usd, None, "only four of them have a known cost");
    }

    #[test]
    fn the_same_agent_s_tickets_count_where_there_are_enough_of_them() {
        let agent = Some(Uuid::from_u128(1));
        let mut earlier: Vec<_> = (0..4).map(|_| ticket(10, None, agent)).collect();
        earlier.extend((0..6).map(|_| ticket(1000, None, None)));
        assert_eq!(ExpectedUsage::of(&earlier, agent).like, LikeTickets::Project);
        earlier.push(ticket(10, None, agent));
        let expected = ExpectedUsage::of(&earlier, agent);
        assert_eq!((expected.like, expected.tickets), (LikeTickets::Agent, 5));
        assert_eq!(expected.tokens, Some(UsualAmount { median: 10.0, p90: 10.0 }));
        assert_eq!(ExpectedUsage::of(&earlier, None).tickets, 11);
    }
}
