//! What is said at Gitea: comments, reviews with comments at lines, reactions, issues.

use super::super::model::{NewLine, NewReview, On, Pull, Refusal, Review, Thread, Verdict};
use super::super::reply::Reply;
use super::super::server::Context;
use super::shapes::{Shapes, time};
use super::{listed, refuse};
use serde_json::{Value, json};

pub(super) fn comments(context: &Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let shapes = Shapes::new(context.state, &context.links);
    let (comments, is_pull) = match context.state.pull(at, number) {
        Ok(pull) => (&pull.comments, true),
        Err(_) => (&context.state.issue(at, number)?.comments, false),
    };
    Ok(listed(context, &comments.iter().map(|said| shapes.comment(at, number, is_pull, said)).collect::<Vec<_>>()))
}

pub(super) fn comment(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let comment = context.state.comment(at, context.who, number, &context.call.text("body"))?;
    let is_pull = context.state.pull(at, number).is_ok();
    Ok(Reply::json(201, &Shapes::new(context.state, &context.links).comment(at, number, is_pull, &comment)))
}

fn is_seen(context: &Context<'_>, review: &Review) -> bool {
    review.verdict != Verdict::Pending || review.author == context.who
}

pub(super) fn reviews(context: &Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let (pull, shapes) = (context.state.pull(at, number)?, Shapes::new(context.state, &context.links));
    let seen = pull.reviews.iter().filter(|review| is_seen(context, review));
    Ok(listed(context, &seen.map(|review| shapes.review(at, pull, review)).collect::<Vec<_>>()))
}

/// A comment at a line, as a body describes it.
fn line_of(said: &Value) -> NewLine {
    let (new, old) =
        (said["new_position"].as_u64().unwrap_or_default(), said["old_position"].as_u64().unwrap_or_default());
    NewLine {
        path: said["path"].as_str().unwrap_or_default().to_owned(),
        line: if new > 0 { new } else { old },
        old_side: new == 0,
        body: said["body"].as_str().unwrap_or_default().to_owned(),
    }
}

/// A word that it does not know, such as GitHub's `APPROVE`, makes a draft that its author alone sees.
pub(super) fn review(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let call = context.call;
    let verdict = match call.text("event").as_str() {
        "APPROVED" => Verdict::Approved,
        "REQUEST_CHANGES" => Verdict::ChangesRequested,
        "COMMENT" => Verdict::Commented,
        _ => Verdict::Pending,
    };
    let lines = call.body["comments"].as_array().into_iter().flatten().map(line_of).collect();
    let new = NewReview { verdict, body: call.text("body"), commit: call.some("commit_id"), lines, joins: true };
    context.state.drop_pending(at, context.who, number)?;
    match context.state.review(at, context.who, number, new) {
        Ok(review) => {
            let pull = context.state.pull(at, number)?;
            Ok(Reply::json(200, &Shapes::new(context.state, &context.links).review(at, pull, &review)))
        }
        Err(Refusal::OwnReview) if verdict == Verdict::ChangesRequested => {
            Ok(refuse(context, 422, "reject your own pull is not allowed"))
        }
        Err(Refusal::Empty) => Ok(refuse(context, 422, "review event COMMENT requires a body or a comment")),
        Err(refusal) => Err(refusal),
    }
}

fn all_of(pull: &Pull) -> impl Iterator<Item = (&Thread, &super::super::model::Comment)> {
    pull.threads.iter().flat_map(|thread| thread.comments.iter().map(move |comment| (thread, comment)))
}

/// The comments of one review, which come in no pages.
pub(super) fn comments_of(context: &Context<'_>, at: usize, number: u64, review: u64) -> Result<Reply, Refusal> {
    let (pull, shapes) = (context.state.pull(at, number)?, Shapes::new(context.state, &context.links));
    pull.reviews.iter().find(|known| known.id == review && is_seen(context, known)).ok_or(Refusal::NotFound)?;
    let own = all_of(pull).filter(|(_, comment)| comment.review == Some(review));
    let all: Vec<Value> = own.map(|(thread, comment)| shapes.line_comment(at, pull, thread, comment)).collect();
    Ok(Reply::json(200, &all.into()))
}

fn line_shown(context: &Context<'_>, at: usize, number: u64, id: u64, status: u16) -> Result<Reply, Refusal> {
    let pull = context.state.pull(at, number)?;
    let (thread, comment) = all_of(pull).find(|(_, comment)| comment.id == id).ok_or(Refusal::NotFound)?;
    Ok(Reply::json(status, &Shapes::new(context.state, &context.links).line_comment(at, pull, thread, comment)))
}

/// Forgejo's way to reply: a comment at the same line, added to a review.
pub(super) fn add_to_review(context: &mut Context<'_>, at: usize, number: u64, review: u64) -> Result<Reply, Refusal> {
    let (pull, line) = (context.state.pull(at, number)?, line_of(&context.call.body));
    pull.reviews.iter().find(|known| known.id == review).ok_or(Refusal::NotFound)?;
    let is_there =
        |thread: &&Thread| thread.path == line.path && thread.line == line.line && thread.old_side == line.old_side;
    let thread = pull.threads.iter().find(is_there).map(Thread::id).ok_or(Refusal::NotInDiff)?;
    let said = context.state.reply(at, context.who, number, thread, &line.body, Some(review))?;
    line_shown(context, at, number, said.id, 200)
}

/// Gitea's way to reply.
pub(super) fn reply(context: &mut Context<'_>, at: usize, number: u64, comment: u64) -> Result<Reply, Refusal> {
    let pull = context.state.pull(at, number)?;
    let (thread, known) = all_of(pull).find(|(_, known)| known.id == comment).ok_or(Refusal::NotFound)?;
    let (thread, review) = (thread.id(), known.review);
    let said = context.state.reply(at, context.who, number, thread, &context.call.text("body"), review)?;
    line_shown(context, at, number, said.id, 201)
}

pub(super) fn react(context: &mut Context<'_>, at: usize, on: On) -> Result<Reply, Refusal> {
    let content = context.call.text("content");
    if !["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"].contains(&content.as_str()) {
        return Ok(refuse(context, 403, &format!("'{content}' is not an allowed reaction")));
    }
    let is_new = context.state.react(at, context.who, on, &content)?;
    let (_, now) = context.state.stamp();
    let user = Shapes::new(context.state, &context.links).account(context.who);
    let shape = json!({"user": user, "content": content, "created_at": time(now)});
    Ok(Reply::json(if is_new { 201 } else { 200 }, &shape))
}

/// A label that no issue has filters nothing.
pub(super) fn issues(context: &Context<'_>, at: usize) -> Reply {
    let (call, shapes, repo) = (context.call, Shapes::new(context.state, &context.links), &context.state.repos[at]);
    let labels: Vec<&str> = call.asks("labels").split(',').filter(|label| !label.is_empty()).collect();
    let exists = |label: &str| repo.issues.iter().any(|issue| issue.labels.iter().any(|name| name == label));
    let known: Vec<&str> = labels.into_iter().filter(|label| exists(label)).collect();
    let state = Some(call.asks("state")).filter(|state| !state.is_empty()).unwrap_or("open");
    let wanted = |open: bool| state == "all" || (state == "open") == open;
    let of = repo
        .issues
        .iter()
        .filter(|issue| wanted(issue.open) && known.iter().all(|label| issue.labels.iter().any(|name| name == label)));
    let mut all: Vec<(u64, Value)> = of.map(|issue| (issue.number, shapes.issue(at, issue))).collect();
    if call.asks("type") != "issues" && known.is_empty() {
        let pulls = repo.pulls.iter().filter(|pull| wanted(pull.is_open()));
        all.extend(pulls.map(|pull| (pull.number, shapes.pull_as_issue(at, pull))));
    }
    all.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    listed(context, &all.into_iter().map(|(_, issue)| issue).collect::<Vec<_>>())
}

pub(super) fn open_issue(context: &mut Context<'_>, at: usize) -> Result<Reply, Refusal> {
    let call = context.call;
    if call.text("title").is_empty() {
        return Err(Refusal::NoTitle);
    }
    let issue = context.state.open_issue(at, context.who, &call.text("title"), &call.text("body"), &[]);
    Ok(Reply::json(201, &Shapes::new(context.state, &context.links).issue(at, &issue)))
}

pub(super) fn issue(context: &Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let shapes = Shapes::new(context.state, &context.links);
    if let Ok(pull) = context.state.pull(at, number) {
        return Ok(Reply::json(200, &shapes.pull_as_issue(at, pull)));
    }
    Ok(Reply::json(200, &shapes.issue(at, context.state.issue(at, number)?)))
}
