//! Threads of pull requests. One review may have many comments, each of which is decided on, so what was read a moment ago
//! is used again, as long as it has the comment that is asked about.

use super::{Forges, account};
use crate::actions::forges::ask::{ForgePlace, NoAnswer};
use crate::domain::forges::conversation::{Thread, ThreadComment, thread_of};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For how long threads are used again.
const KEPT: Duration = Duration::from_secs(30);

/// The threads that were read last.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<HashMap<(ForgePlace, i64), Read>>);

#[derive(Debug)]
struct Read {
    at: Instant,
    threads: Vec<Thread>,
}

impl Recent {
    fn with(&self, place: &ForgePlace, pull: i64, comment: &str) -> Option<Vec<Thread>> {
        let recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Read { at, threads } = recent.get(&(place.clone(), pull))?;
        (at.elapsed() < KEPT && thread_of(threads, comment).is_some()).then(|| threads.clone())
    }

    fn keep(&self, place: &ForgePlace, pull: i64, threads: &[Thread]) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|_, read| read.at.elapsed() < KEPT);
        recent.insert((place.clone(), pull), Read { at: Instant::now(), threads: threads.to_vec() });
    }
}

impl Forges {
    pub(super) async fn threads_with(
        &self,
        place: &ForgePlace,
        pull: i64,
        comment: &str,
    ) -> Result<Vec<Thread>, NoAnswer> {
        if let Some(threads) = self.recent.with(place, pull, comment) {
            return Ok(threads);
        }
        let threads = self.connected(place).await?.forge.threads(pull).await?;
        let threads: Vec<Thread> = threads.into_iter().map(thread).collect();
        self.recent.keep(place, pull, &threads);
        Ok(threads)
    }
}

fn thread(thread: terarchitect_forge::Thread) -> Thread {
    let comment = |said: terarchitect_forge::Comment| ThreadComment {
        id: said.id,
        author: account(said.author),
        body: said.body,
        created_at: said.created_at,
        updated_at: said.updated_at,
    };
    Thread { id: thread.id, is_resolved: thread.resolved, comments: thread.comments.into_iter().map(comment).collect() }
}
