//! Comments, reviews, reactions and issues at Gitea.

use super::{Gitea, PER_PAGE};
use crate::github::read;
use crate::http::{Call, Once};
use crate::own::{is_own, posted};
use crate::types::{Comment, Issue, Reaction, Remark, Review, ReviewState};
use crate::{ForgeError, marker_in};
use serde_json::{Value, json};

const COMMENT: &str = "the comment";
const REVIEW: &str = "the review";
const ISSUE: &str = "the issue";

impl Gitea {
    pub(super) async fn comments_of(&self, number: i64) -> Result<Vec<Comment>, ForgeError> {
        let items = self.list(&format!("issues/{number}/comments"), COMMENT).await?;
        items.iter().map(read::comment).collect::<Option<_>>().ok_or_else(|| self.http.odd(COMMENT))
    }

    pub(super) async fn post_comment(&self, number: i64, body: &str) -> Result<Comment, ForgeError> {
        let marker = marker_in(body);
        let find = || async move {
            let Some(marker) = marker else { return Ok(None) };
            Ok(posted(self.comments_of(number).await?, marker, Some(self.own().await?)))
        };
        let call = Call::post(self.at(&format!("issues/{number}/comments")), json!({"body": body})).about(COMMENT);
        match self.http.once(call, marker.is_some(), find).await? {
            Once::Found(comment) => Ok(comment),
            Once::Sent(reply) if reply.status.is_success() => {
                read::comment(&reply.json()).ok_or_else(|| self.http.odd(COMMENT))
            }
            Once::Sent(reply) => Err(self.http.refusal(COMMENT, &reply)),
        }
    }

    /// The reviews as Gitea describes them, without requests for one.
    pub(super) async fn raw_reviews(&self, number: i64) -> Result<Vec<Value>, ForgeError> {
        let mut items = self.list(&format!("pulls/{number}/reviews"), REVIEW).await?;
        items.retain(|review| review["state"] != "REQUEST_REVIEW");
        Ok(items)
    }

    pub(super) async fn reviews_of(&self, number: i64) -> Result<Vec<Review>, ForgeError> {
        let items = self.raw_reviews(number).await?;
        items.iter().map(read::review).collect::<Option<_>>().ok_or_else(|| self.http.odd(REVIEW))
    }

    pub(super) async fn submit_approval(&self, number: i64, body: &str, head: &str) -> Result<(), ForgeError> {
        let find = || async move {
            let (reviews, own) = (self.reviews_of(number).await?, self.own().await?);
            let is_ours = |review: &Review| {
                review.state == ReviewState::Approved
                    && review.commit.as_deref() == Some(head)
                    && is_own(&review.author, Some(own))
            };
            Ok(reviews.iter().any(is_ours).then_some(()))
        };
        // GitHub's word, APPROVE, gives a draft that no one sees.
        let text = json!({"event": "APPROVED", "commit_id": head, "body": body});
        let call = Call::post(self.at(&format!("pulls/{number}/reviews")), text).about(REVIEW);
        match self.http.once(call, true, find).await? {
            Once::Sent(reply) if !reply.status.is_success() => Err(self.http.refusal(REVIEW, &reply)),
            _ => Ok(()),
        }
    }

    pub(super) async fn put_reaction(&self, number: i64, on: &Remark, reaction: Reaction) -> Result<(), ForgeError> {
        let path = match on {
            Remark::Pull => format!("issues/{number}/reactions"),
            // Comments at lines are comments like others here.
            Remark::Comment(id) | Remark::Line(id) => format!("issues/comments/{id}/reactions"),
        };
        let content = match reaction {
            Reaction::Eyes => "eyes",
        };
        let call = Call::post(self.at(&path), json!({"content": content})).about("the reaction");
        self.http.ok(&call).await.map(drop)
    }

    pub(super) async fn read_issue(&self, number: i64) -> Result<Issue, ForgeError> {
        let json = self.http.ok(&Call::get(self.at(&format!("issues/{number}"))).about(ISSUE)).await?.json();
        if json["pull_request"].is_object() {
            return Err(self.http.refused(ISSUE, "it is a pull request"));
        }
        read::issue(&json).ok_or_else(|| self.http.odd(ISSUE))
    }

    pub(super) async fn issues_with(&self, label: &str) -> Result<Vec<Issue>, ForgeError> {
        let call = Call::get(self.at("issues"))
            .query("labels", label)
            .query("state", "open")
            .query("type", "issues")
            .query("limit", PER_PAGE)
            .about(ISSUE);
        let items = self.http.pages(&call, None).await?;
        // A label that does not exist filters nothing.
        let has_label = |issue: &Issue| issue.labels.iter().any(|name| name == label);
        let mut issues: Vec<Issue> = items.iter().filter_map(read::issue).filter(has_label).collect();
        issues.sort_by(|one, other| crate::when::compare(&other.updated_at, &one.updated_at));
        Ok(issues)
    }
}
