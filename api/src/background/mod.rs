//! Background tasks: one file for each, and the list of them.
//!
//! All tasks end at one stop signal. A new task is a file with `run(app, stop)` and a line in `TASKS`. Any number of
//! processes may run them on one database: each skips the rows that another one works on.

mod checkpoints;
mod cloud_agents;
mod comments;
mod deliveries;
mod due_jobs;
mod leases;
mod posts;
mod presence;
mod publish_cards;
mod publish_events;
mod retention;
mod reviews;
mod schedules;
mod sign_ins;
mod sweeps;

use crate::state::App;
use std::pin::Pin;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use retention::{delete_old, delete_old_audit};

/// What a task is: it runs until the signal.
type Task = fn(App, CancellationToken) -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! tasks {
    ($($task:ident),+ $(,)?) => {
        &[$((stringify!($task), |app, stop| Box::pin($task::run(app, stop)))),+]
    };
}

/// Every task, with its name.
const TASKS: &[(&str, Task)] = tasks![
    checkpoints,
    cloud_agents,
    comments,
    deliveries,
    due_jobs,
    leases,
    posts,
    presence,
    publish_cards,
    publish_events,
    retention,
    reviews,
    schedules,
    sign_ins,
    sweeps,
];

/// The tasks that run beside the requests. Call [`Background::finish`] after the last request.
#[derive(Debug)]
pub struct Background {
    tasks: TaskTracker,
    last_request: CancellationToken,
}

impl Background {
    /// Starts every task and the queue. At `stop` waiting claims end without a job, and nothing new is claimed;
    /// completions are recorded until [`Background::finish`].
    #[must_use]
    pub fn start(app: &App, stop: &CancellationToken) -> Self {
        let (tasks, last_request) = (TaskTracker::new(), CancellationToken::new());
        app.queue.start(&tasks, stop, last_request.clone());
        for (name, task) in TASKS {
            tracing::debug!(task = name, "started a background task");
            tasks.spawn(task(app.clone(), stop.clone()));
        }
        tasks.close();
        Self { tasks, last_request }
    }

    /// Waits until everything has ended.
    pub async fn finish(self) {
        self.last_request.cancel();
        self.tasks.wait().await;
    }
}
