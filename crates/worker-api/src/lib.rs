//! The wire contract of the worker API: ids, request and response bodies, error bodies, and (feature `client`) a typed
//! HTTP client with retries. Also what a person sees of a comment (`visible`), since both ends must agree on it.
//!
//! The documented contract is kept exactly; everything beyond it is optional on the wire, so that a client of the plain
//! contract keeps working. These types derive no database traits: the API maps them at its edge.

mod budget;
mod checkpoint;
mod context;
mod entry;
mod error;
mod heartbeat;
mod ids;
mod job;
pub mod lenient;
mod memory;
mod prices;
mod proof;
mod review;
mod secrets;
mod steering;
mod ticket;
mod usage;
mod visible;
mod words;

#[cfg(feature = "client")]
pub mod client;

pub use budget::{BudgetLeft, BudgetLevel, BudgetLimit, BudgetUnit, Used, needs_tokens};
pub use checkpoint::{
    CheckpointStage, CheckpointStatus, CheckpointType, ConversationInfo, Held, HoldRequest, OpenCheckpoint,
    RunnerCheckpoint, Stop, StoreOutput,
};
pub use context::{
    AgentSettings, ContextTicket, CurrentTicket, FinishedReview, FinishedWork, RelevantGraph, UpdateStrategy,
    WorkerContext,
};
pub use entry::{AcceptanceEntry, EntryData, TodoEntry};
pub use error::ErrorBody;
pub use heartbeat::{
    Directive, HeartbeatRequest, HeartbeatResponse, HeldJob, HeldJobStatus, HeldState, HostFinding, WorkerJob,
    WorkerJobs,
};
pub use ids::{InvalidWorkerId, JobId, LogId, NoteId, ProjectId, TicketId, WorkerId};
pub use job::{
    ExecutionMode, Job, JobKind, JobReport, JobReportResponse, JobStatus, Reason, ReleaseRequest, StartJobRequest,
};
pub use memory::{IndexRequest, IndexResponse, RetrieveRequest, RetrieveResponse, RetrieveResult};
pub use prices::{Price, Prices};
pub use proof::ProofTerms;
pub use review::{ReviewContext, ReviewPoint, ReviewRemark, ReviewReply};
pub use secrets::JobSecret;
pub use steering::{DiffInfo, PersonMessage, StoreDiffRequest, TakenMessages, TurnOfAttempt};
pub use ticket::{AppendLogRequest, AppendLogResponse, CancelRequested, CompleteTicketRequest, Message};
pub use usage::{ModelUsage, StoreUsageRequest, StoredUsage};
pub use visible::{seen, visible};
pub use words::UnknownWord;

/// The largest `wait_ms` that a claim may ask for: the server responds with 204 after this time at the latest.
pub const MAX_WAIT_MS: u32 = 25_000;
