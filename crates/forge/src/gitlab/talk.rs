//! Notes, reviews, reactions and issues at GitLab.

use super::quick::without_actions;
use super::{GitLab, PER_PAGE, read};
use crate::http::{Call, Once};
use crate::own::posted;
use crate::types::{Comment, Issue, Reaction, Remark, Review, ReviewState};
use crate::{Conflict, ForgeError, marker_in};
use reqwest::StatusCode;
use serde_json::{Value, json};

const COMMENT: &str = "the comment";
const REVIEW: &str = "the review";
const ISSUE: &str = "the issue";

impl GitLab {
    /// The page of a merge request or an issue, for people.
    fn page_of(&self, of: &str) -> String {
        format!("{}/-/{of}", self.page())
    }

    /// What people wrote on `merge_requests/N` or `issues/N`, without notes at lines and those of GitLab itself.
    pub(super) async fn notes_of(&self, of: &str) -> Result<Vec<Comment>, ForgeError> {
        let call = Call::get(self.at(&format!("{of}/notes")))
            .query("sort", "asc")
            .query("order_by", "created_at")
            .query("per_page", PER_PAGE)
            .about(COMMENT);
        let mut notes = self.http.pages(&call, None).await?;
        notes.retain(|note| note["system"] != true && note["type"] != "DiffNote");
        let page = self.page_of(of);
        let comments = notes.iter().map(|note| read::comment(note, &page)).collect::<Option<_>>();
        comments.ok_or_else(|| self.http.odd(COMMENT))
    }

    pub(super) async fn post_note(&self, of: &str, body: &str) -> Result<Comment, ForgeError> {
        let marker = marker_in(body);
        let find = || async move {
            let Some(marker) = marker else { return Ok(None) };
            Ok(posted(self.notes_of(of).await?, marker, Some(self.own().await?)))
        };
        let text = json!({"body": without_actions(body)});
        let call = Call::post(self.at(&format!("{of}/notes")), text).about(COMMENT);
        self.posted_note(self.http.once(call, marker.is_some(), find).await?, of)
    }

    /// The note that a write returned or that was found.
    pub(super) fn posted_note(&self, done: Once<Comment>, of: &str) -> Result<Comment, ForgeError> {
        match done {
            Once::Found(comment) => Ok(comment),
            Once::Sent(reply) if reply.status.is_success() => {
                read::comment(&reply.json(), &self.page_of(of)).ok_or_else(|| self.http.odd(COMMENT))
            }
            Once::Sent(reply) => Err(self.http.refusal(COMMENT, &reply)),
        }
    }

    /// GitLab has a state for each reviewer and a list of approvals instead of reviews.
    pub(super) async fn reviews_of(&self, number: i64) -> Result<Vec<Review>, ForgeError> {
        let approvals = self.http.ok(&Call::get(self.of(number, "approvals")).about(REVIEW)).await?.json();
        let approved = approvals["approved_by"].as_array().into_iter().flatten();
        let mut reviews: Vec<Review> =
            approved.map(|by| review(&by["user"], ReviewState::Approved, &by["approved_at"])).collect();
        let call = Call::get(self.of(number, "reviewers")).query("per_page", PER_PAGE).about(REVIEW);
        let reviewers = match self.http.pages(&call, None).await {
            Ok(reviewers) => reviewers,
            // Versions before 15 do not have them.
            Err(ForgeError::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        for reviewer in &reviewers {
            let state = match reviewer["state"].as_str() {
                Some("requested_changes") => ReviewState::ChangesRequested,
                Some("reviewed") => ReviewState::Commented,
                Some("unapproved") => ReviewState::Dismissed,
                _ => continue,
            };
            reviews.push(review(&reviewer["user"], state, &reviewer["updated_at"]));
        }
        Ok(reviews)
    }

    pub(super) async fn submit_approval(&self, number: i64, body: &str, head: &str) -> Result<(), ForgeError> {
        if self.read_pull(number).await?.head.sha != head {
            return Err(self.http.conflict(Conflict::HeadMoved, "its branch has new commits"));
        }
        let find = || async move {
            let (reviews, own) = (self.reviews_of(number).await?, self.own().await?);
            let is_ours = |review: &Review| review.state == ReviewState::Approved && review.author.id == own.id;
            Ok(reviews.iter().any(is_ours).then_some(()))
        };
        let call = Call::post(self.of(number, "approve"), json!({"sha": head})).about(REVIEW);
        if let Once::Sent(reply) = self.http.once(call, true, find).await?
            && !reply.status.is_success()
        {
            let moved = reply.status == StatusCode::CONFLICT;
            let said = self.http.words(&reply);
            return Err(if moved {
                self.http.conflict(Conflict::HeadMoved, said)
            } else {
                self.http.refusal(REVIEW, &reply)
            });
        }
        if !body.trim().is_empty() {
            self.post_note(&format!("merge_requests/{number}"), body).await?;
        }
        Ok(())
    }

    pub(super) async fn put_reaction(&self, number: i64, on: &Remark, reaction: Reaction) -> Result<(), ForgeError> {
        let path = match on {
            Remark::Pull => self.of(number, "award_emoji"),
            Remark::Comment(id) | Remark::Line(id) => self.of(number, &format!("notes/{id}/award_emoji")),
        };
        let name = match reaction {
            Reaction::Eyes => "eyes",
        };
        let reply = self.http.send(&Call::post(path, json!({"name": name})).about("the reaction")).await?;
        // A second one of a kind is refused, with 404.
        if reply.status.is_success() || self.http.words(&reply).contains("already been taken") {
            return Ok(());
        }
        Err(self.http.refusal("the reaction", &reply))
    }

    pub(super) async fn read_issue(&self, number: i64) -> Result<Issue, ForgeError> {
        let json = self.http.ok(&Call::get(self.at(&format!("issues/{number}"))).about(ISSUE)).await?.json();
        read::issue(&json).ok_or_else(|| self.http.odd(ISSUE))
    }

    pub(super) async fn issues_with(&self, label: &str) -> Result<Vec<Issue>, ForgeError> {
        let call = Call::get(self.at("issues"))
            .query("labels", label)
            .query("state", "opened")
            .query("order_by", "updated_at")
            .query("per_page", PER_PAGE)
            .about(ISSUE);
        let items = self.http.pages(&call, None).await?;
        items.iter().map(read::issue).collect::<Option<_>>().ok_or_else(|| self.http.odd(ISSUE))
    }
}

fn review(user: &Value, state: ReviewState, at: &Value) -> Review {
    let author = read::account(user);
    let verdict = match state {
        ReviewState::Approved => "approved",
        ReviewState::ChangesRequested => "requested_changes",
        ReviewState::Commented => "reviewed",
        ReviewState::Dismissed | ReviewState::Pending => "unapproved",
    };
    let id = format!("{verdict}-{}", author.id);
    Review { id, author, state, body: String::new(), commit: None, submitted_at: read::text(at) }
}
