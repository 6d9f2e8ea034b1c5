//! What hooks of agents send, and what their agents are told.

use crate::access::Caller;
use crate::actions;
use crate::actions::work_orders::ingest::Ingested;
use crate::domain::hooks::reply::{Reader, ahead, reply};
use crate::domain::hooks::{MAX_EVENTS, Sent};
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::http::error::ApiResult;
use crate::http::extract::{Query, parse_json, read_body, require_plain_json};
use crate::state::App;
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use terarchitect_worker_api::ErrorBody;
use utoipa::{IntoParams, ToSchema};

/// One event, or several as `events`.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct IngestBody {
    #[serde(flatten)]
    one: Sent,
    /// Several events, in their order; then the other fields are not read.
    events: Option<Vec<Sent>>,
}

/// Who reads the answer.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct IngestQuery {
    /// Return exactly what a hook of this program has to print, and nothing else: `cursor` or `claude`.
    #[param(value_type = Option<String>)]
    reply: Option<Reader>,
    /// Return what hooks are to print if the agent stops before the next request: a line for Cursor and one for Claude Code, after the
    /// line of `reply` where there is one. Nothing else is returned then.
    #[serde(default)]
    ahead: bool,
}

/// What became of the events.
#[derive(Debug, Serialize, ToSchema)]
pub struct IngestReply {
    /// Always true.
    ok: bool,
    /// At a session's end: what is left to do; the agent goes on with it.
    followup_message: Option<String>,
    /// At a session's start: what the agent should know.
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_context: Option<String>,
    /// How many events were stored.
    stored: usize,
    /// How many were stored before.
    repeated: usize,
    /// How many belong to no work order that is known, and were dropped.
    without_order: usize,
    /// Why others were not stored.
    refused: Vec<String>,
}

/// Stores events of an agent's hooks in its work order's log, each once. One event is a JSON object, several are `events`, or one
/// object a line with the type `application/x-ndjson`. At a session's end, `followup_message` says which lines are not done.
#[utoipa::path(post, path = "/api/v1/ingest", tag = "work orders", security(("bearer" = []), ("session" = [])),
    params(IngestQuery), request_body = IngestBody,
    responses((status = 200, content((IngestReply = "application/json"), (String = "application/x-ndjson"))),
        (status = 404, body = ErrorBody)))]
pub async fn ingest(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<IngestQuery>,
    request: Request,
) -> ApiResult<Response> {
    let (sent, broken) = read_events(request, &app).await?;
    let is_single = sent.is_single;
    let mut done = actions::work_orders::ingest::ingest(
        &app.database,
        &caller.actor(),
        &caller.rights(),
        sent.events,
        query.ahead,
    )
    .await?;
    if is_single && let Some(refusal) = done.refused.pop() {
        return Err(refusal.into());
    }
    if query.ahead {
        let first = query.reply.map(|reader| format!("{}\n", reply(reader, &done.told))).unwrap_or_default();
        return Ok(([(CONTENT_TYPE, "application/x-ndjson")], first + &ahead(&done.told)).into_response());
    }
    if let Some(reader) = query.reply {
        return Ok(Json(reply(reader, &done.told)).into_response());
    }
    Ok(Json(answer(done, broken)).into_response())
}

fn answer(done: Ingested, broken: usize) -> IngestReply {
    let mut refused: Vec<String> = done.refused.into_iter().map(|refusal| refusal.message).collect();
    if broken > 0 {
        refused.push(format!("{broken} of the lines are not valid JSON objects."));
    }
    IngestReply {
        ok: true,
        followup_message: done.told.followup,
        additional_context: done.told.context,
        stored: done.stored,
        repeated: done.repeated,
        without_order: done.without_order,
        refused,
    }
}

/// The events of a request.
struct Events {
    events: Vec<Sent>,
    /// Whether it was one event by itself, whose refusal is that of the request.
    is_single: bool,
}

/// Reads the events, and counts the lines that are none.
async fn read_events(request: Request, app: &App) -> ApiResult<(Events, usize)> {
    let headers = request.headers().clone();
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_lines = kind.to_ascii_lowercase().starts_with("application/x-ndjson");
    let bytes = read_body(request, app).await?;
    if !is_lines {
        require_plain_json(&headers)?;
        if bytes.is_empty() {
            return Err(Refusal::new(ErrorCode::EmptyBody, "The body is empty; send a JSON object.").into());
        }
        let body: IngestBody = parse_json(&bytes)?;
        let (events, is_single) = match body.events {
            Some(events) => (events, false),
            None => (vec![body.one], true),
        };
        return Ok((Events { events: at_most(events)?, is_single }, 0));
    }
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let (mut events, mut broken) = (Vec::new(), 0);
    for line in lines {
        // One line that is none must not keep the others from being stored.
        match parse_json(line) {
            Ok(event) => events.push(event),
            Err(_) => broken += 1,
        }
    }
    Ok((Events { events: at_most(events)?, is_single: false }, broken))
}

fn at_most(events: Vec<Sent>) -> Result<Vec<Sent>, Refusal> {
    if events.len() > MAX_EVENTS {
        return Err(Refusal::invalid(format!("Send at most {MAX_EVENTS} events in one request.")));
    }
    Ok(events)
}
