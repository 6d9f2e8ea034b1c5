//! What is open in a page, and what each event makes it load again: as `web/src/live/targets.ts` and `refresh.ts` do, and
//! `useTimeline.ts` for a ticket's log.

use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// A page gathers events for this long, and loads the same list again at most so often.
const GATHER: Duration = Duration::from_millis(200);
const LIST_EVERY: Duration = Duration::from_millis(2_500);
/// A ticket's log gathers for this long, and is loaded as often as that.
const GATHER_LOG: Duration = Duration::from_millis(250);
/// New entries of a log are asked for with so many old ones.
const OVERLAP: usize = 32;

/// What a page shows beside the summary, which every page does.
#[derive(Clone, Debug)]
pub(super) enum Screen {
    Board,
    Inbox,
    Fleet,
    /// A ticket with its log, the numbers of its entries so far, and whether the agent's work on it has ended.
    Ticket {
        id: String,
        seqs: Vec<i64>,
        ended: bool,
    },
}

/// Something that a page loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Summary,
    Board,
    Inbox,
    Fleet,
    Ticket,
    Log,
}

impl List {
    /// When it is loaded, if an event made it old at this time and it was loaded at that time.
    pub(super) fn due(self, stale_since: Instant, loaded: Instant) -> Instant {
        match self {
            Self::Log => stale_since + GATHER_LOG,
            _ => (stale_since + GATHER).max(loaded + LIST_EVERY),
        }
    }

    /// Where it is.
    pub(super) fn path(self, project: &str, screen: &Screen) -> String {
        let ticket = match screen {
            Screen::Ticket { id, .. } => format!("/api/projects/{project}/tickets/{id}"),
            _ => String::new(),
        };
        match self {
            Self::Summary => "/api/summary".to_owned(),
            Self::Board => format!("/api/projects/{project}/board"),
            Self::Inbox => "/api/inbox".to_owned(),
            Self::Fleet => "/api/fleet".to_owned(),
            Self::Ticket => format!("{ticket}/page"),
            Self::Log => match screen {
                Screen::Ticket { seqs, .. } if !seqs.is_empty() => {
                    format!("{ticket}/timeline?after={}&limit=200", seqs[seqs.len().saturating_sub(OVERLAP)])
                }
                _ => format!("{ticket}/timeline?limit=100"),
            },
        }
    }
}

impl Screen {
    /// What it loads when it is opened.
    pub(super) fn lists(&self) -> &'static [List] {
        match self {
            Self::Board => &[List::Board],
            Self::Inbox => &[List::Inbox],
            Self::Fleet => &[List::Fleet],
            Self::Ticket { .. } => &[List::Ticket, List::Log],
        }
    }

    /// What this event makes old, as far as it is shown.
    pub(super) fn touched_by(&self, event: &Value) -> Vec<List> {
        let kind = event["kind"].as_str().unwrap_or_default();
        let family = kind.split('.').next().unwrap_or_default();
        let mut lists = Vec::new();
        if matches!(family, "ticket" | "job" | "attempt" | "project" | "coordinator" | "fleet" | "inbox") {
            lists.push(List::Summary);
        }
        match self {
            Self::Board
                if matches!(family, "project" | "coordinator" | "fleet") && kind != "coordinator.seen"
                    || kind == "ticket.deleted" =>
            {
                lists.push(List::Board);
            }
            Self::Inbox if matches!(family, "ticket" | "job" | "attempt" | "inbox") => lists.push(List::Inbox),
            Self::Fleet if matches!(family, "job" | "attempt" | "coordinator" | "fleet") => lists.push(List::Fleet),
            Self::Ticket { id, .. } if event["ticket_id"] == id.as_str() => {
                lists.push(List::Log);
                if family != "log" {
                    lists.push(List::Ticket);
                }
            }
            _ => {}
        }
        lists
    }

    /// Takes in what was loaded of a ticket's log.
    pub(super) fn take_log(&mut self, page: &Value) {
        let Self::Ticket { seqs, .. } = self else { return };
        let new = page["entries"].as_array().into_iter().flatten().filter_map(|entry| entry["seq"].as_i64());
        seqs.extend(new);
        seqs.sort_unstable();
        seqs.dedup();
    }

    /// Who watches an agent goes on to the next one when the work has ended.
    pub(super) fn follow(&mut self, event: &Value) -> bool {
        let Self::Ticket { id, seqs, ended } = self else { return false };
        if event["kind"] == "attempt.ended" && event["ticket_id"] == id.as_str() {
            *ended = true;
        } else if event["kind"] == "job.claimed" && *ended {
            *id = event["ticket_id"].as_str().unwrap_or_default().to_owned();
            *ended = false;
            seqs.clear();
            return true;
        }
        false
    }
}
