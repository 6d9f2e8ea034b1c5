//! What is said at GitLab: notes, discussions, approvals, emoji, issues.

use super::super::model::{Edit, NewLine, NewReview, On, Refusal, Thread, Verdict};
use super::super::reply::Reply;
use super::super::server::Context;
use super::shapes::{Shapes, discussion_id, time};
use super::{listed, refuse};
use serde_json::{Value, json};

/// What stands in the way of a text that is a command.
fn runs(body: &str, command: &str) -> bool {
    body.lines().any(|line| line.trim_end() == command)
}

fn sorted(context: &Context<'_>, mut notes: Vec<Value>) -> Reply {
    notes.sort_by_key(|note| note["id"].as_u64());
    if context.call.asks("sort") != "asc" {
        notes.reverse();
    }
    listed(context, &notes)
}

pub(super) fn notes(context: &Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let shapes = Shapes::new(context.state, &context.links);
    if context.call.path.iter().any(|part| part == "issues") {
        let issue = context.state.issue(at, number)?;
        let on = ("Issue", issue.id, issue.number);
        return Ok(sorted(context, issue.comments.iter().map(|said| shapes.note(at, on, said)).collect()));
    }
    let pull = context.state.pull(at, number)?;
    let at_lines = pull.threads.iter().flat_map(|thread| thread.comments.iter().map(move |said| (thread, said)));
    let mut notes = shapes.plain_notes(at, pull);
    notes.extend(at_lines.map(|(thread, said)| shapes.diff_note(at, pull, thread, said)));
    Ok(sorted(context, notes))
}

pub(super) fn note(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let body = context.call.text("body");
    // A line that begins with a slash is a command, and is carried out.
    if runs(&body, "/close") {
        context.state.edit(at, context.who, number, Edit { open: Some(false), ..Edit::default() })?;
        return Ok(Reply::json(
            202,
            &json!({"commands_changes": {"state_event": "close"}, "summary": ["Closed this."]}),
        ));
    }
    let comment = context.state.comment(at, context.who, number, &body)?;
    let on = match context.state.pull(at, number) {
        Ok(pull) => ("MergeRequest", pull.id, number),
        Err(_) => ("Issue", context.state.issue(at, number)?.id, number),
    };
    Ok(Reply::json(201, &Shapes::new(context.state, &context.links).note(at, on, &comment)))
}

/// Who approved, each once.
pub(super) fn approvals(context: &Context<'_>, at: usize, number: u64, status: u16) -> Result<Reply, Refusal> {
    let (pull, shapes) = (context.state.pull(at, number)?, Shapes::new(context.state, &context.links));
    let by: Vec<Value> = pull
        .reviews
        .iter()
        .filter(|review| review.verdict == Verdict::Approved)
        .map(|review| json!({"user": shapes.account(review.author), "approved_at": time(review.submitted_at)}))
        .collect();
    let approved = !by.is_empty();
    let body = json!({
        "id": pull.id, "iid": number, "project_id": context.state.repos[at].id, "title": pull.title, "approved": approved,
        "user_has_approved": pull.reviews.iter().any(|r| r.author == context.who && r.verdict == Verdict::Approved),
        "user_can_approve": pull.author != context.who, "approved_by": by,
    });
    Ok(Reply::json(status, &body))
}

/// Each reviewer's last word.
pub(super) fn reviewers(context: &Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let (pull, shapes) = (context.state.pull(at, number)?, Shapes::new(context.state, &context.links));
    let mut last: Vec<(u64, Value)> = Vec::new();
    for review in pull.reviews.iter().filter(|review| review.author != pull.author) {
        let state = match review.verdict {
            Verdict::Approved => "approved",
            Verdict::ChangesRequested => "requested_changes",
            Verdict::Commented => "reviewed",
            Verdict::Pending => "review_started",
        };
        let at_ms = time(review.submitted_at);
        let shape =
            json!({"user": shapes.account(review.author), "state": state, "created_at": at_ms, "updated_at": at_ms});
        last.retain(|(author, _)| *author != review.author);
        last.push((review.author, shape));
    }
    Ok(listed(context, &last.into_iter().map(|(_, reviewer)| reviewer).collect::<Vec<_>>()))
}

pub(super) fn approve(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let pull = context.state.pull(at, number)?;
    if let Some(sha) = context.call.some("sha").filter(|sha| *sha != pull.head_sha) {
        return Ok(refuse(409, &format!("SHA does not match HEAD of source branch: {sha}")));
    }
    let is_again = pull.reviews.iter().any(|r| r.author == context.who && r.verdict == Verdict::Approved);
    if is_again {
        return Err(Refusal::Again);
    }
    let new = NewReview { verdict: Verdict::Approved, ..NewReview::default() };
    context.state.review(at, context.who, number, new)?;
    approvals(context, at, number, 201)
}

/// A thread by its discussion's id.
fn thread_of(context: &Context<'_>, at: usize, number: u64, id: &str) -> Result<u64, Refusal> {
    let threads = &context.state.pull(at, number)?.threads;
    threads.iter().map(Thread::id).find(|thread| discussion_id(*thread) == id).ok_or(Refusal::NotFound)
}

pub(super) fn discussions(context: &Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let (pull, shapes) = (context.state.pull(at, number)?, Shapes::new(context.state, &context.links));
    let alone = shapes.plain_notes(at, pull).into_iter().map(|note| {
        json!({"id": discussion_id(note["id"].as_u64().unwrap_or_default()), "individual_note": true, "notes": [note]})
    });
    let mut all: Vec<Value> =
        alone.chain(pull.threads.iter().map(|thread| shapes.discussion(at, pull, thread))).collect();
    all.sort_by_key(|discussion| discussion["notes"][0]["id"].as_u64());
    Ok(listed(context, &all))
}

fn discussion_shown(context: &Context<'_>, at: usize, number: u64, thread: u64, status: u16) -> Result<Reply, Refusal> {
    let pull = context.state.pull(at, number)?;
    let thread = pull.threads.iter().find(|known| known.id() == thread).ok_or(Refusal::NotFound)?;
    Ok(Reply::json(status, &Shapes::new(context.state, &context.links).discussion(at, pull, thread)))
}

pub(super) fn discussion(context: &Context<'_>, at: usize, number: u64, id: &str) -> Result<Reply, Refusal> {
    discussion_shown(context, at, number, thread_of(context, at, number, id)?, 200)
}

/// A new thread at a line.
pub(super) fn discuss(context: &mut Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let (body, position) = (context.call.text("body"), &context.call.body["position"]);
    let (new, old) = (position["new_line"].as_u64(), position["old_line"].as_u64());
    let path = position[if new.is_some() { "new_path" } else { "old_path" }].as_str().unwrap_or_default().to_owned();
    let line = NewLine { path, line: new.or(old).unwrap_or_default(), old_side: new.is_none(), body };
    context.state.review(at, context.who, number, NewReview { lines: vec![line], ..NewReview::default() })?;
    let thread = context.state.pull(at, number)?.threads.last().map_or(0, Thread::id);
    discussion_shown(context, at, number, thread, 201)
}

pub(super) fn resolve(context: &mut Context<'_>, at: usize, number: u64, id: &str) -> Result<Reply, Refusal> {
    let thread = thread_of(context, at, number, id)?;
    let resolved = context.call.asks("resolved") == "true" || context.call.body["resolved"] == true;
    context.state.resolve(at, context.who, number, thread, resolved)?;
    discussion_shown(context, at, number, thread, 200)
}

pub(super) fn reply(context: &mut Context<'_>, at: usize, number: u64, id: &str) -> Result<Reply, Refusal> {
    let thread = thread_of(context, at, number, id)?;
    // A reply is part of no review here.
    let said = context.state.reply(at, context.who, number, thread, &context.call.text("body"), Some(0))?;
    let pull = context.state.pull(at, number)?;
    let thread = pull.threads.iter().find(|known| known.id() == thread).ok_or(Refusal::NotFound)?;
    Ok(Reply::json(201, &Shapes::new(context.state, &context.links).diff_note(at, pull, thread, &said)))
}

pub(super) fn award(context: &mut Context<'_>, at: usize, on: On) -> Result<Reply, Refusal> {
    let name = context.call.text("name");
    if !context.state.react(at, context.who, on, &name)? {
        return Ok(refuse(404, "404 Award Emoji Name has already been taken Not Found"));
    }
    let (id, now) = context.state.stamp();
    let user = Shapes::new(context.state, &context.links).account(context.who);
    let (kind, of) = match on {
        On::Number(number) => ("MergeRequest", number),
        On::Comment(id) => ("Note", id),
    };
    let shape = json!({
        "id": id, "name": name, "user": user, "created_at": time(now), "updated_at": time(now), "awardable_id": of,
        "awardable_type": kind,
    });
    Ok(Reply::json(201, &shape))
}

pub(super) fn issues(context: &Context<'_>, at: usize) -> Reply {
    let (call, shapes) = (context.call, Shapes::new(context.state, &context.links));
    let labels: Vec<&str> = call.asks("labels").split(',').filter(|label| !label.is_empty()).collect();
    let mut issues: Vec<_> = context.state.repos[at]
        .issues
        .iter()
        .filter(|issue| labels.iter().all(|label| issue.labels.iter().any(|name| name == label)))
        .filter(|issue| match call.asks("state") {
            "opened" => issue.open,
            "closed" => !issue.open,
            _ => true,
        })
        .collect();
    issues.sort_by_key(|issue| std::cmp::Reverse(issue.updated_at));
    listed(context, &issues.into_iter().map(|issue| shapes.issue(at, issue)).collect::<Vec<_>>())
}

pub(super) fn open_issue(context: &mut Context<'_>, at: usize) -> Result<Reply, Refusal> {
    let call = context.call;
    if call.text("title").is_empty() {
        return Err(Refusal::NoTitle);
    }
    let labels = call.text("labels");
    let labels: Vec<&str> = labels.split(',').filter(|label| !label.is_empty()).collect();
    let issue = context.state.open_issue(at, context.who, &call.text("title"), &call.text("description"), &labels);
    Ok(Reply::json(201, &Shapes::new(context.state, &context.links).issue(at, &issue)))
}

pub(super) fn issue(context: &Context<'_>, at: usize, number: u64) -> Result<Reply, Refusal> {
    let issue = context.state.issue(at, number)?;
    Ok(Reply::json(200, &Shapes::new(context.state, &context.links).issue(at, issue)))
}
