//! What is said at GitHub: comments, reviews, comments at lines, reactions, issues.

use super::super::model::{NewLine, NewReview, On, Pull, Refusal, Verdict};
use super::super::reply::Reply;
use super::super::server::Context;
use super::shapes::{Shapes, time};
use super::{invalid, listed, refuse};
use serde_json::{Value, json};

pub(super) fn comments(context: &Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let shapes = Shapes::new(context.state, &context.links);
    let (comments, is_pull) = match context.state.pull(at, number) {
        Ok(pull) => (&pull.comments, true),
        Err(_) => (&context.state.issue(at, number)?.comments, false),
    };
    Ok(listed(
        context,
        &comments.iter().map(|comment| shapes.comment(at, number, is_pull, comment)).collect::<Vec<_>>(),
    ))
}

pub(super) fn comment(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    match context.state.comment(at, context.who, number, &context.call.text("body")) {
        Ok(comment) => {
            let is_pull = context.state.pull(at, number).is_ok();
            Ok(Reply::json(201, &Shapes::new(context.state, &context.links).comment(at, number, is_pull, &comment)))
        }
        Err(Refusal::Empty) => {
            Ok(invalid(&json!({"resource": "IssueComment", "field": "body", "code": "missing_field"})))
        }
        Err(refusal) => Err(refusal),
    }
}

pub(super) fn reviews(context: &Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let pull = context.state.pull(at, number)?;
    let shapes = Shapes::new(context.state, &context.links);
    // A pending review is seen by its author alone.
    let seen = pull.reviews.iter().filter(|review| review.verdict != Verdict::Pending || review.author == context.who);
    Ok(listed(context, &seen.map(|review| shapes.review(at, pull, review)).collect::<Vec<_>>()))
}

/// A comment at a line, as a body describes it.
fn line_of(said: &Value) -> NewLine {
    NewLine {
        path: said["path"].as_str().unwrap_or_default().to_owned(),
        line: said["line"].as_u64().unwrap_or_default(),
        old_side: said["side"] == "LEFT",
        body: said["body"].as_str().unwrap_or_default().to_owned(),
    }
}

pub(super) fn review(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let call = context.call;
    let verdict = match call.body["event"].as_str() {
        Some("APPROVE") => Verdict::Approved,
        Some("REQUEST_CHANGES") => Verdict::ChangesRequested,
        Some("COMMENT") => Verdict::Commented,
        None => Verdict::Pending,
        Some(_) => return Ok(refuse(422, "Variable $event of type PullRequestReviewEvent was provided invalid value")),
    };
    let lines = call.body["comments"].as_array().into_iter().flatten().map(line_of).collect();
    let new = NewReview { verdict, body: call.text("body"), commit: call.some("commit_id"), lines, joins: false };
    let unprocessable = |why: &str| {
        let body = json!({"message": "Unprocessable Entity", "errors": [why], "documentation_url": super::DOCS});
        Ok(Reply::json(422, &body))
    };
    match context.state.review(at, context.who, number, new) {
        Ok(review) => {
            let pull = context.state.pull(at, number)?;
            Ok(Reply::json(200, &Shapes::new(context.state, &context.links).review(at, pull, &review)))
        }
        Err(Refusal::OwnReview) if verdict == Verdict::Approved => {
            unprocessable("Can not approve your own pull request")
        }
        Err(Refusal::OwnReview) => unprocessable("Can not request changes on your own pull request"),
        Err(Refusal::Empty) => unprocessable("Review cannot be blank"),
        Err(Refusal::NotOpen) => unprocessable("Pull request is closed"),
        Err(Refusal::NotInDiff) => unprocessable("Line could not be resolved"),
        Err(refusal) => Err(refusal),
    }
}

/// All comments at lines, the oldest first.
fn at_lines(context: &Context<'_>, at: usize, pull: &Pull) -> Vec<Value> {
    let shapes = Shapes::new(context.state, &context.links);
    let threads = pull.threads.iter().flat_map(|thread| thread.comments.iter().map(move |comment| (thread, comment)));
    let mut all: Vec<_> = threads.collect();
    all.sort_by_key(|(_, comment)| comment.id);
    all.into_iter().map(|(thread, comment)| shapes.line_comment(at, pull, thread, comment)).collect()
}

pub(super) fn line_comments(context: &Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    Ok(listed(context, &at_lines(context, at, context.state.pull(at, number)?)))
}

fn line_shown(context: &Context<'_>, at: usize, number: u64, id: u64) -> Result<Reply, Refusal> {
    let all = at_lines(context, at, context.state.pull(at, number)?);
    let found = all.into_iter().find(|comment| comment["id"] == id).ok_or(Refusal::NotFound)?;
    Ok(Reply::json(201, &found))
}

/// A new thread, or a reply where the body names the comment that it replies to.
pub(super) fn line_comment(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let body = &context.call.body;
    if let Some(top) = body["in_reply_to"].as_u64() {
        return reply(context, at, number, top);
    }
    let (lines, commit) = (vec![line_of(body)], context.call.some("commit_id"));
    let new = NewReview { verdict: Verdict::Commented, body: String::new(), commit, lines, joins: false };
    context.state.review(at, context.who, number, new)?;
    let pull = context.state.pull(at, number)?;
    let id = pull.threads.last().map_or(0, super::super::model::Thread::id);
    line_shown(context, at, number, id)
}

pub(super) fn reply(context: &mut Context<'_>, at: usize, number: u64, top: u64) -> Result<Reply, Refusal> {
    let comment = context.state.reply(at, context.who, number, top, &context.call.text("body"), None)?;
    line_shown(context, at, number, comment.id)
}

pub(super) fn react(context: &mut Context<'_>, at: usize, on: On) -> Result<Reply, Refusal> {
    let content = context.call.text("content");
    if !["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"].contains(&content.as_str()) {
        return Ok(invalid(&json!({"resource": "Reaction", "field": "content", "code": "invalid"})));
    }
    let is_new = context.state.react(at, context.who, on, &content)?;
    let (id, now) = context.state.stamp();
    let user = Shapes::new(context.state, &context.links).account(context.who);
    let shape =
        json!({"id": id, "node_id": format!("REA_{id}"), "user": user, "content": content, "created_at": time(now)});
    Ok(Reply::json(if is_new { 201 } else { 200 }, &shape))
}

/// Issues with these labels, and pull requests where no label is asked for: GitHub lists them too.
pub(super) fn issues(context: &Context<'_>, at: usize) -> Reply {
    let (call, shapes, repo) = (context.call, Shapes::new(context.state, &context.links), &context.state.repos[at]);
    let labels: Vec<&str> = call.asks("labels").split(',').filter(|label| !label.is_empty()).collect();
    let state = Some(call.asks("state")).filter(|state| !state.is_empty()).unwrap_or("open");
    let wanted = |open: bool| state == "all" || (state == "open") == open;
    let has = |all: &[String]| labels.iter().all(|label| all.iter().any(|name| name.eq_ignore_ascii_case(label)));
    let of_issues = repo.issues.iter().filter(|issue| wanted(issue.open) && has(&issue.labels));
    let mut all: Vec<(i64, Value)> = of_issues.map(|issue| (issue.updated_at, shapes.issue(at, issue))).collect();
    if labels.is_empty() {
        let pulls = repo.pulls.iter().filter(|pull| wanted(pull.is_open()));
        all.extend(pulls.map(|pull| (pull.updated_at, shapes.pull_as_issue(at, pull))));
    }
    all.sort_by_key(|(updated_at, _)| std::cmp::Reverse(*updated_at));
    listed(context, &all.into_iter().map(|(_, issue)| issue).collect::<Vec<_>>())
}

pub(super) fn open_issue(context: &mut Context<'_>, at: usize) -> Result<Reply, Refusal> {
    let call = context.call;
    if call.text("title").trim().is_empty() {
        return Err(Refusal::NoTitle);
    }
    let labels: Vec<&str> = call.body["labels"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let issue = context.state.open_issue(at, context.who, &call.text("title"), &call.text("body"), &labels);
    Ok(Reply::json(201, &Shapes::new(context.state, &context.links).issue(at, &issue)))
}

pub(super) fn issue(context: &Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let shapes = Shapes::new(context.state, &context.links);
    if let Ok(pull) = context.state.pull(at, number) {
        return Ok(Reply::json(200, &shapes.pull_as_issue(at, pull)));
    }
    Ok(Reply::json(200, &shapes.issue(at, context.state.issue(at, number)?)))
}
