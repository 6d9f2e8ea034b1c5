//! A typed client of Terarchitect's application API, for the `terarchitect` command and for programs of your own.
//!
//! Its types are its own and lenient: fields that they do not name are kept and passed on, and fields that an older API
//! does not send are absent. It decides nothing and prints nothing. Coordinators and runners use the worker API instead,
//! which is another crate.

mod call;
mod error;
mod events;
mod fleet;
mod inbox;
mod jobs;
mod logins;
mod orders;
mod people;
mod projects;
mod reviews;
mod schedules;
mod secrets;
mod settings;
mod tickets;
mod types;

pub use call::Client;
pub use error::{ClientError, ErrorBody};
pub use events::{EventFilter, EventStream, Happened};
pub use fleet::{Coordinator, CoordinatorChange, Finding, Fleet, HeldJob, QueuedProject, Stopped};
pub use inbox::{Checkpoint, Inbox, InboxItem};
pub use jobs::{Attempt, Job, JobDetail, JobFilter, JobPage};
pub use logins::{DeviceAnswer, DeviceLogin};
pub use orders::{CatalogueAgent, LaunchedOrder, OrderFilter, OrderLine, OrderLog, OrderPage, WorkOrder};
pub use people::{NewToken, Person, Session, SignIn, Token};
pub use projects::{Check, Checks, NewProject, Project};
pub use reviews::{Review, ReviewCheck, ReviewComment, ReviewThread, ReviewVerdict};
pub use schedules::{Schedule, ScheduleRun};
pub use secrets::{NewSecret, Secret};
pub use settings::{MissingSetting, Readiness, TestResult};
pub use terarchitect_outbound::Retry;
pub use tickets::{LogEntry, Message, NewTicket, Ticket, TicketChange, Timeline};
pub use types::{Board, Card, Diffstat, Event, LastLine, More, Said, State, Summary, TicketPage, Why};
