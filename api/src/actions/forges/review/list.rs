//! The pull requests of a project's tickets, from what is known here: no forge is asked.

use super::Reviews;
use super::standing::PullStanding;
use crate::actions::ActionResult;
use crate::db;
use crate::db::forges::reviews::ListedPull;
use crate::domain::forges::PullState;
use crate::domain::forges::snapshot::{PullComment, PullCommit, Snapshot};
use crate::domain::refusal::Refusal;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::HashMap;
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// The most pull requests of a list.
const MAX_LISTED: i64 = 100;

/// A pull request in a list, as far as it was read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ListedReview {
    /// The ticket.
    pub ticket_id: Uuid,
    /// The ticket's title.
    pub ticket_title: String,
    /// What the runner reported about its work, else the pull request's description.
    pub summary: String,
    /// Its commits.
    pub commits: Vec<PullCommit>,
    /// The files that look like tests.
    pub test_files: Vec<String>,
    /// What was said about it as a whole.
    pub comments: Vec<PullComment>,
    /// Its page.
    pub pr_url: Option<String>,
    /// Its number.
    pub pr_number: i64,
    /// Whether it is merged.
    pub merged: bool,
    /// How it stands.
    #[serde(flatten)]
    pub standing: PullStanding,
    /// When its forge was asked; null: never.
    pub read_at: Option<DateTime<Utc>>,
}

impl Reviews {
    /// The pull requests of a project's tickets: those that are open, then the others, the latest first; at most 100.
    ///
    /// # Errors
    /// When the project does not exist.
    pub async fn list(&self, project: ProjectId) -> ActionResult<Vec<ListedReview>> {
        let mut conn = self.database.read().await?;
        if !db::projects::exists(&mut conn, project).await? {
            return Err(Refusal::not_found("project", project).into());
        }
        let pulls = db::forges::reviews::of_project(&mut conn, project, MAX_LISTED).await?;
        let tickets: Vec<Uuid> = pulls.iter().map(|pull| pull.ticket_id).collect();
        let rows = db::forges::reviews::standings(&mut conn, &tickets).await?;
        let mut standings: HashMap<Uuid, PullStanding> = rows.into_iter().map(|row| (row.id, row.into())).collect();
        // One that was deleted in between is left out.
        Ok(pulls.into_iter().filter_map(|pull| Some(listed(standings.remove(&pull.id)?, pull))).collect())
    }
}

fn listed(standing: PullStanding, pull: ListedPull) -> ListedReview {
    let snapshot: Option<Snapshot> = pull.snapshot.and_then(|stored| serde_json::from_value(stored).ok());
    let description = snapshot.as_ref().map(|snapshot| snapshot.pull.body.clone()).unwrap_or_default();
    let test_files = snapshot.as_ref().map(Snapshot::test_files).unwrap_or_default();
    let (commits, comments) = snapshot.map(|snapshot| (snapshot.commits, snapshot.comments)).unwrap_or_default();
    ListedReview {
        ticket_id: pull.ticket_id,
        ticket_title: pull.ticket_title,
        summary: pull.summary.unwrap_or(description),
        commits,
        test_files,
        comments,
        pr_url: pull.url,
        pr_number: pull.number,
        merged: standing.pr_state == PullState::Merged,
        standing,
        read_at: pull.asked_at,
    }
}
