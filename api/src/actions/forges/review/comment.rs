//! Comments on a pull request for a person, and lets that be an order to the agent.

use super::at_forge::NotDone;
use super::{ReviewDone, Reviewer, Reviews};
use crate::actions::ActionResult;
use crate::actions::tickets::append_log::store;
use crate::db;
use crate::db::forges::reviews::{NewOrder, TicketPull};
use crate::db::tickets::logs::NewLogEntry;
use crate::domain::forges::CommentKind;
use crate::domain::forges::snapshot::{PullComment, PullThread};
use crate::domain::forges::standing::{comment_text, in_the_name_of, require_open};
use crate::domain::live::event::{EventKind, NewEvent};
use crate::domain::refusal::{ErrorCode, Refusal};
use serde::Deserialize;
use serde_json::json;
use terarchitect_worker_api::{ProjectId, TicketId};
use utoipa::ToSchema;
use uuid::Uuid;

/// A comment to post.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct NewPullComment {
    /// The text, at most 60,000 characters. It is posted by this system's account, with the name of who wrote it.
    pub body: String,
    /// The thread to reply in; absent: a comment on the pull request.
    pub thread_id: Option<String>,
    /// The head that was seen.
    pub head_sha: Option<String>,
    /// Whether the agent should work on it; absent: it is only a comment.
    #[serde(default)]
    pub order: bool,
}

impl Reviews {
    /// Posts a comment.
    ///
    /// # Errors
    /// When the text is not valid, there is no such pull request or thread, or the forge does not take it.
    pub async fn comment(
        &self,
        by: &Reviewer,
        (project, ticket): (ProjectId, TicketId),
        new: NewPullComment,
    ) -> ActionResult<ReviewDone> {
        let text = comment_text(&new.body)?;
        let (pull, place) = self.pull_of(project, ticket).await?;
        let thread = match &new.thread_id {
            Some(id) => {
                let threads = self.read(project, ticket).await?.threads;
                let found = threads.into_iter().find(|thread| thread.id == *id);
                Some(found.ok_or_else(|| no_thread(id, pull.number))?)
            }
            None => None,
        };
        if new.order {
            // Known here, or asked above: an order about what is over would never be worked on.
            require_open(pull.state)?;
        }
        let (body, key) = (in_the_name_of(&by.name, text), format!("by-person:{}", Uuid::now_v7()));
        let posted = match &thread {
            Some(thread) => self.forge.reply(&place, pull.number, thread, &body, &key).await,
            None => self.forge.comment(&place, pull.number, &body, &key).await,
        };
        let posted = posted.map_err(|error: NotDone| Refusal::from(error))?;
        self.note_comment(by, &pull, thread.as_ref(), &posted, &new).await?;
        let message = if new.order { "The agent will work on this" } else { "Comment posted" };
        Ok(self.after(message.to_owned(), &pull, &place).await)
    }

    async fn note_comment(
        &self,
        by: &Reviewer,
        pull: &TicketPull,
        thread: Option<&PullThread>,
        posted: &PullComment,
        new: &NewPullComment,
    ) -> ActionResult<()> {
        let (project, ticket, number) = (ProjectId(pull.project_id), TicketId(pull.ticket_id), pull.number);
        let mut change = self.database.change(&by.actor).await?;
        if !db::tickets::hold(&mut change, project, ticket).await? {
            return Err(Refusal::not_found("ticket", ticket).into());
        }
        let at = thread.map(|thread| format!(" at {}", place_of(thread))).unwrap_or_default();
        let asked = if new.order { ", and asked the agent to work on it" } else { "" };
        let said = format!("{} commented on pull request #{number}{at}{asked}.", by.name);
        store(&mut change, &NewLogEntry::outcome(project, ticket, "pull_request", said)).await?;
        db::forges::reviews::touch(&mut change, pull.id).await?;
        if new.order {
            db::forges::reviews::insert_order(&mut change, &order(by, pull, thread, posted, new)).await?;
        }
        let data = json!({
            "pr_number": number, "comment_id": posted.id, "thread_id": thread.map(|thread| &thread.id), "order": new.order,
        });
        change.record(NewEvent::of_ticket(EventKind::PullRequestCommented, project, ticket).with(data));
        Ok(change.commit().await?)
    }
}

fn order<'a>(
    by: &'a Reviewer,
    pull: &TicketPull,
    thread: Option<&'a PullThread>,
    posted: &'a PullComment,
    new: &'a NewPullComment,
) -> NewOrder<'a> {
    NewOrder {
        pull: pull.id,
        forge_id: &posted.id,
        kind: if thread.is_some() { CommentKind::Line } else { CommentKind::General },
        thread_id: thread.map(|thread| thread.id.as_str()),
        head_sha: new.head_sha.as_deref(),
        author: &by.name,
        body: new.body.trim(),
        path: thread.map(|thread| thread.path.as_str()),
        line: thread.and_then(|thread| thread.line).and_then(|line| i32::try_from(line).ok()),
        hunk: thread.and_then(|thread| thread.hunk.as_deref()),
        url: &posted.url,
    }
}

fn place_of(thread: &PullThread) -> String {
    thread.line.map_or_else(|| thread.path.clone(), |line| format!("{}:{line}", thread.path))
}

fn no_thread(id: &str, number: i64) -> Refusal {
    Refusal::new(ErrorCode::NotFound, format!("There is no thread {id} in pull request #{number}."))
}
