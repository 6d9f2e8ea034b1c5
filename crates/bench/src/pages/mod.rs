//! What open pages cost the API: two hundred of them on a board on which twenty agents work.
//!
//! A busy board is one of 2 000 tickets: 400 in the queue, 20 with an agent on a host that has no free slot, 100 that wait for a
//! person, the others in the backlog. Each agent writes a log entry a second, in turns. Every two seconds one of them finishes
//! its ticket, and claims the next one a moment later; every four seconds a person writes a ticket and starts it. The pages are
//! those of people with three kinds of rights, each with a session of its own. Of 20 pages, 14 show the board, 3 a ticket on
//! which an agent works, 2 the inbox, and one the fleet.

mod agents;
mod page;
mod people;
mod screen;

use crate::api::{Api, resident_bytes};
use crate::report::{Figure, Reach, print_head};
use crate::seed::{self, Rows};
use agents::Agents;
use anyhow::{Context, ensure};
use page::{Page, Seen};
use screen::Screen;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use terarchitect_testbed::postgres::{Options, TestPostgres};
use tokio::task::JoinSet;

const TICKETS: u32 = 2_000;
const QUEUED: u32 = 400;
/// Lets what opening a page costs end before what an open page costs is measured.
const SETTLE: Duration = Duration::from_secs(5);

/// What the page at this place shows.
fn screen_of(place: usize, tickets: &[String]) -> Screen {
    match place % 20 {
        0..14 => Screen::Board,
        14..17 => Screen::Ticket { id: tickets[place % tickets.len()].clone(), seqs: Vec::new(), ended: false },
        17..19 => Screen::Inbox,
        _ => Screen::Fleet,
    }
}

/// Measures everything. Always returns true: no figure makes a bench fail.
pub(crate) async fn run(programs: &Path, short: bool) -> anyhow::Result<bool> {
    let (pages, time) = if short { (20, Duration::from_secs(4)) } else { (200, Duration::from_secs(60)) };
    let postgres = TestPostgres::start(&Options { durable: true, settings: String::new() })?;
    let template = seed::empty(&postgres).await?;
    let rows = Rows { finished: 0, pending: QUEUED, projects: 1, limit: None, tickets: TICKETS - QUEUED };
    let database = seed::filled(&postgres, &template, rows).await?;
    let cookies = people::fill(&postgres, &database, pages).await?;
    let api = Api::start(programs, &postgres.url(&database), 0, &[]).await?;
    let writer = cookies.get(2).context("nobody is an admin")?.clone();
    let mut agents = Agents::start(api.address, writer).await?;
    print_head();
    // Once without pages: what the agents alone cost.
    let alone = agents.work(&api, time).await?;
    let idle = resident_bytes(api.pid())?;
    let (seen, mut open) = (Arc::new(Seen::default()), JoinSet::new());
    let tickets = agents.tickets();
    for (place, cookie) in cookies.into_iter().enumerate() {
        let screen = screen_of(place, &tickets);
        open.spawn(Page::open(api.address, &agents.project, screen, cookie, seen.clone()).await?.live());
    }
    agents.work(&api, SETTLE).await?;
    seen.reset();
    let with = agents.work(&api, time).await?;
    if let Some(ended) = open.try_join_next() {
        ended.context("a page panicked")?.context("a page ended")?;
    }
    let resident = resident_bytes(api.pid())?;
    ensure!(seen.cards.load(Ordering::Relaxed) > 0, "no card reached a page");
    Figure {
        what: format!("{pages} open pages on a busy board: the API's CPU"),
        value: 100.0 * (with - alone),
        unit: "% of one core",
        reach: Reach::AtMost(10.0),
        detail: format!(
            "{:.1} % with them, {:.1} % without; to all pages together: {}",
            100.0 * with,
            100.0 * alone,
            seen.per_second(time)
        ),
    }
    .print();
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    Figure {
        what: format!("{pages} open pages on a busy board: the API's memory"),
        value: mib(resident.saturating_sub(idle)),
        unit: "MiB",
        reach: Reach::AtMost(100.0),
        detail: format!("{:.1} MiB resident, {:.1} MiB without pages", mib(resident), mib(idle)),
    }
    .print();
    open.shutdown().await;
    drop(api);
    postgres.drop_database(&database)?;
    Ok(true)
}
