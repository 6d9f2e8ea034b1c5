//! The few things of GitHub's GraphQL that REST does not have. It says no with 200 and a list of errors.

use super::super::bare::Method;
use super::super::model::{Edit, Refusal};
use super::super::reply::Reply;
use super::super::server::Context;
use super::pulls::{by_node_id, not_updated};
use serde_json::{Value, json};

fn no(kind: &str, message: &str) -> Reply {
    Reply::json(200, &json!({"data": null, "errors": [{"type": kind, "message": message}]}))
}

pub(super) fn respond(context: &mut Context<'_>) -> Reply {
    let call = context.call;
    let (query, variables) = (call.text("query"), &call.body["variables"]);
    if query.contains("reviewThreads") {
        return threads(context, variables);
    }
    let Some((at, number)) = by_node_id(context, &variables["id"]) else {
        let message = format!(
            "Could not resolve to a node with the global id of '{}'",
            variables["id"].as_str().unwrap_or_default()
        );
        return no("NOT_FOUND", &message);
    };
    let done = Reply::json(200, &json!({"data": {"done": {"clientMutationId": null}}}));
    let draft = |draft: bool| Edit { draft: Some(draft), ..Edit::default() };
    let changed = if query.contains("markPullRequestReadyForReview") {
        context.state.edit(at, context.who, number, draft(false)).map(drop)
    } else if query.contains("convertPullRequestToDraft") {
        context.state.edit(at, context.who, number, draft(true)).map(drop)
    } else if query.contains("updatePullRequestBranch") {
        let method = if variables["method"] == "REBASE" { Method::Rebase } else { Method::Merge };
        context.state.update(at, context.who, number, method, variables["head"].as_str())
    } else {
        return no("undefinedField", "Field doesn't exist on type 'Mutation'");
    };
    match changed {
        Ok(()) => done,
        Err(Refusal::Forbidden) => no("FORBIDDEN", "Resource not accessible by personal access token"),
        Err(refusal) => {
            no("UNPROCESSABLE", &not_updated(refusal).unwrap_or_else(|_| "Something went wrong".to_owned()))
        }
    }
}

/// The threads of a pull request, and whether each is settled.
fn threads(context: &mut Context<'_>, variables: &Value) -> Reply {
    let text = |name: &str| variables[name].as_str().unwrap_or_default();
    let at = context.state.repo_at(text("owner"), text("name"));
    let number = variables["number"].as_u64().unwrap_or_default();
    let Some(pull) = at.and_then(|at| context.state.pull(at, number).ok()) else {
        return no("NOT_FOUND", "Could not resolve to a PullRequest");
    };
    // Pages of ten, so that clients must follow them.
    let from: usize = variables["after"].as_str().and_then(|after| after.parse().ok()).unwrap_or_default();
    let some = pull.threads.iter().skip(from).take(10);
    let nodes: Vec<Value> = some
        .map(|thread| json!({"isResolved": thread.resolved_by.is_some(), "comments": {"nodes": [{"databaseId": thread.id()}]}}))
        .collect();
    let end = from + nodes.len();
    let more = end < pull.threads.len();
    let threads = json!({"nodes": nodes, "pageInfo": {"hasNextPage": more, "endCursor": end.to_string()}});
    Reply::json(200, &json!({"data": {"repository": {"pullRequest": {"reviewThreads": threads}}}}))
}
