//! Following a ticket until its work ends: reads what there is, follows the events, and reads again what they are about.
//!
//! Nothing is shown twice and nothing is left out, however often the connection breaks: the stream of events resumes
//! where it was, and log entries are known by their ids.

pub(crate) mod entry;
mod log;
mod order;
mod screen;

use crate::app::App;
use crate::exit;
use crate::state::{self, Outcome};
use crate::text;
use chrono::{DateTime, Utc};
use log::Log;
use order::{Line, NewState, Order};
use screen::Screen;
use std::time::Duration;
use terarchitect_client::{Client, ClientError, Event, EventFilter, Happened, Job, LogEntry, Retry, State, Ticket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use uuid::Uuid;

/// How long the API may be away before a watch gives up.
const PATIENCE: Duration = Duration::from_secs(600);
/// Events come in bursts; what they are about is read once for all that arrive within this time.
const GATHER: Duration = Duration::from_millis(50);
/// How soon a read that failed is repeated.
const AGAIN: Duration = Duration::from_secs(1);
/// Why a ticket waits can change without an event of its own.
const STATE_CHECK: Duration = Duration::from_secs(15);

/// A ticket that is about to be followed.
pub(crate) struct Watch {
    app: App,
    client: Client,
    project: Uuid,
    ticket: Uuid,
    position: String,
    log: Log,
    order: Order,
    screen: Screen,
    /// Whether the API can say a ticket's state.
    has_cards: bool,
}

/// What has to be read again, and from when on.
#[derive(Clone, Copy, Debug, Default)]
struct Due(Option<Instant>);

impl Due {
    fn within(&mut self, time: Duration) {
        let at = Instant::now() + time;
        self.0 = Some(self.0.map_or(at, |due| due.min(at)));
    }
}

/// What was read at one time.
struct Now {
    ticket: Ticket,
    job: Option<Job>,
    state: State,
    /// The time of the newest entry that the API knew when it said the state.
    spoke_at: Option<DateTime<Utc>>,
    /// Entries that were not read before.
    entries: Vec<LogEntry>,
    /// When all this was read.
    at: DateTime<Utc>,
}

impl Watch {
    /// Takes note of where the event log is, and of the entries that are there already: the last `shown` of them are
    /// shown, the others are not.
    pub(crate) async fn prepare(app: &App, ticket: &Ticket, shown: usize) -> anyhow::Result<Self> {
        let position = app.client.events_position().await?;
        let log = Log::begin(&app.client, ticket.project_id, ticket.id, shown).await?;
        Ok(Self {
            app: app.clone(),
            // A read that fails is repeated by the loop, which can be interrupted meanwhile.
            client: app.client.with_retry(Retry::Never),
            project: ticket.project_id,
            ticket: ticket.id,
            position,
            log,
            order: Order::default(),
            screen: Screen::new(app.out),
            has_cards: true,
        })
    }

    /// Shows what happens until the work ends, and returns the exit code.
    pub(crate) async fn follow(mut self) -> anyhow::Result<u8> {
        let id = text::short_id(self.ticket);
        let out = self.app.out;
        tokio::select! {
            code = self.until_the_end() => code,
            signal = tokio::signal::ctrl_c() => {
                signal?;
                let sentence = format!(
                    "The ticket goes on. Watch it again: terarchitect ticket watch {id}. Stop it: terarchitect ticket stop {id}"
                );
                if out.json {
                    return Err(exit::interrupted(sentence));
                }
                // Below the ^C of the terminal.
                out.note(&format!("\n{sentence}"));
                Ok(exit::INTERRUPTED)
            }
        }
    }

    async fn until_the_end(&mut self) -> anyhow::Result<u8> {
        let begun = self.log.take_begun();
        self.print(begun, None, Utc::now())?;
        let filter = EventFilter { ticket: Some(self.ticket), ..EventFilter::default() };
        let mut events = self.client.events(filter, self.position.clone(), PATIENCE);
        // A task of its own: here, a connection that takes longer than a second would be given up each second.
        let (sender, mut happenings) = mpsc::channel(100);
        let mut reading = JoinSet::new();
        reading.spawn(async move {
            loop {
                let happened = events.next().await;
                let last = happened.is_err();
                if sender.send(happened).await.is_err() || last {
                    return;
                }
            }
        });
        let mut due = Due(Some(Instant::now()));
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut checked = Instant::now();
        loop {
            let read_at = due.0;
            tokio::select! {
                Some(happened) = happenings.recv() => self.happened(happened?, &mut due)?,
                () = sleep_until(read_at.unwrap_or_else(Instant::now)), if read_at.is_some() => {
                    due.0 = None;
                    checked = Instant::now();
                    match self.read().await {
                        Ok(now) => if let Some(code) = self.show(now).await? { return Ok(code) },
                        Err(error) if error.is_unreachable() => due.within(AGAIN),
                        Err(error) => return Err(error.into()),
                    }
                }
                _ = seconds.tick() => {
                    self.screen.tick();
                    if self.has_cards && checked.elapsed() >= STATE_CHECK {
                        due.within(Duration::ZERO);
                    }
                }
            }
        }
    }

    fn happened(&mut self, happened: Happened, due: &mut Due) -> anyhow::Result<()> {
        match happened {
            Happened::Event(event) => {
                if self.concerns(&event) {
                    due.within(GATHER);
                }
            }
            Happened::Resync => due.within(Duration::ZERO),
            Happened::Connected => {
                if self.screen.connection(true)? {
                    due.within(Duration::ZERO);
                }
            }
            Happened::Lost(error) => {
                self.screen.lost(&error.chain());
                self.screen.connection(false)?;
            }
        }
        Ok(())
    }

    fn concerns(&self, event: &Event) -> bool {
        event.ticket_id.is_none_or(|ticket| ticket == self.ticket)
    }

    /// Reads the job first and the log last, so that the log is complete where the job has ended, and has everything that
    /// the state is about.
    async fn read(&mut self) -> Result<Now, ClientError> {
        let job = self.client.newest_job(self.ticket).await?;
        let ticket = self.client.ticket(self.project, self.ticket).await?;
        let mut state = state::of_job(&ticket, job.as_ref());
        let mut spoke_at = None;
        if self.has_cards {
            match self.client.card(self.project, self.ticket).await {
                Ok(card) => {
                    state = card.state.clone();
                    spoke_at = card.last_line.as_ref().map(|line| line.at);
                    self.screen.card(card);
                }
                Err(error) if error.is_not_supported() => self.has_cards = false,
                Err(error) => return Err(error),
            }
        }
        let at = Utc::now();
        let entries = self.log.new_entries(&self.client).await?;
        Ok(Now { ticket, job, state, spoke_at, entries, at })
    }

    /// Shows what is new in order, and at the end the result.
    async fn show(&mut self, mut now: Now) -> anyhow::Result<Option<u8>> {
        let entries = std::mem::take(&mut now.entries);
        let Some(outcome) = state::outcome(&now.ticket, now.job.as_ref()) else {
            self.print(entries, Some((&now.state, now.spoke_at)), now.at)?;
            return Ok(None);
        };
        self.print(entries, None, now.at)?;
        let sentence = self.sentence(&outcome, &now).await;
        let code = code(&outcome);
        self.screen.end(&outcome, &sentence, code)?;
        Ok(Some(code))
    }

    fn print(
        &mut self,
        entries: Vec<LogEntry>,
        state: Option<(&State, Option<DateTime<Utc>>)>,
        at: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let state = state.filter(|(state, _)| self.screen.is_new(state));
        let new = state.map(|(state, spoke_at)| NewState::new(state, spoke_at));
        for line in self.order.lines(entries, new, at) {
            match (line, state) {
                (Line::Entry(entry), _) => self.screen.entry(&entry)?,
                (Line::State(at), Some((state, _))) => self.screen.state(state, at)?,
                (Line::State(_), None) => {}
            }
        }
        self.screen.tick();
        Ok(())
    }

    async fn sentence(&self, outcome: &Outcome, now: &Now) -> String {
        match outcome {
            Outcome::PullRequest(_) => "The pull request is open.".to_owned(),
            Outcome::Nothing => "Finished, but without a pull request.".to_owned(),
            Outcome::Cancelled => "Cancelled.".to_owned(),
            Outcome::NotStarted => {
                let id = text::short_id(self.ticket);
                format!("It was never started; start it with `terarchitect ticket run {id} --watch`")
            }
            Outcome::Failed => {
                let said = state::sentence(&now.state);
                match self.detail(now.job.as_ref()).await.filter(|detail| !said.contains(detail.as_str())) {
                    Some(detail) => format!("{said} {detail}"),
                    None => said,
                }
            }
        }
    }

    /// What the last attempt said of its failure. It only adds to what is known, so it may be missing.
    async fn detail(&self, job: Option<&Job>) -> Option<String> {
        let detail = self.client.job(job?.id).await.ok()?;
        let last = detail.attempts.into_iter().max_by_key(|attempt| attempt.attempt)?;
        last.detail.map(|detail| text::short(&detail, 400)).filter(|detail| !detail.is_empty())
    }
}

fn code(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::PullRequest(_) => exit::DONE,
        Outcome::Nothing | Outcome::Failed | Outcome::NotStarted => exit::FAILED,
        Outcome::Cancelled => exit::CANCELLED,
    }
}
