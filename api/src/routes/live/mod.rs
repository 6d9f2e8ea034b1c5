//! `GET /api/events`: what happens, as a stream of Server-Sent Events or as pages of JSON.

mod accept;
pub mod board;
pub mod fleet;
pub mod inbox;

use crate::access::{Caller, MaybeCaller};
use crate::changes::{Concern, Follow, Reader, page};
use crate::db::live::events::{Event, Filter};
use crate::domain::live::event::EventKind;
use crate::domain::live::position::Position;
use crate::domain::refusal::{ErrorCode, Refusal};
use crate::http::error::ApiResult;
use crate::http::extract::Query;
use crate::state::App;
use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use terarchitect_worker_api::{ErrorBody, JobId, ProjectId, TicketId};
use utoipa::{IntoParams, ToSchema};

const DEFAULT_LIMIT: u16 = 100;
const MAX_LIMIT: u16 = 1_000;
const LAST_EVENT_ID: &str = "last-event-id";
/// Keeps nginx from collecting the stream in a buffer.
const NO_BUFFER: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Which events, and from which position.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Only events of this project.
    #[param(value_type = Option<uuid::Uuid>)]
    project_id: Option<ProjectId>,
    /// Only events of this ticket.
    #[param(value_type = Option<uuid::Uuid>)]
    ticket_id: Option<TicketId>,
    /// Only events of this job.
    #[param(value_type = Option<uuid::Uuid>)]
    job_id: Option<JobId>,
    /// Only events of these kinds, separated by commas: whole words such as `job.claimed`, or families such as `job`.
    kind: Option<String>,
    /// The events after this position: the `id` of an event, `next` of a page, `start` for the oldest, or `now`. The
    /// header `Last-Event-ID` does the same and takes precedence. If unset, a stream begins now, and pages begin at the
    /// oldest event.
    after: Option<String>,
    /// For streams: also send the card of each ticket that changes, as events named `card`, without a position. A reader that
    /// connects again reads its board again.
    #[serde(default)]
    cards: bool,
    /// For pages, the maximum number of events: 100 if unset, at most 1000.
    limit: Option<u16>,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventPage {
    /// The events in order.
    events: Vec<Event>,
    /// Send it as `after` for the events that follow.
    next: String,
    /// Whether there are more events already.
    more: bool,
}

/// What happens, in order: a stream of Server-Sent Events, or with `Accept: application/json` a page of events. The
/// stream resumes after the header `Last-Event-ID`, sends a comment every 15 seconds, and begins with an event named
/// `resync` where events after the position have been deleted: then reload everything that you show.
#[utoipa::path(get, path = "/api/events", tag = "live", security(("bearer" = []), ("session" = [])),
    params(EventQuery, ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that was received")),
    responses((status = 200, description = "Events", content((EventPage = "application/json"), (String = "text/event-stream"))),
        (status = 410, description = "For pages: events after this position have been deleted", body = ErrorBody)))]
pub async fn read_events(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<EventQuery>,
    request: Request,
) -> ApiResult<Response> {
    let filter = Filter { visible: caller.visible().ids(), hides_people: !caller.is_admin(), ..query.filter()? };
    let wants_page = accept::prefers_json(&headers);
    let from = query.follow(&headers, wants_page)?;
    if wants_page {
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
        let page = page(&app.database, &from, &filter, limit).await?;
        let next = page.next.to_string();
        return Ok(Json(EventPage { events: page.events, next, more: page.more }).into_response());
    }
    let concern = concern_of(&caller);
    let reader = Reader::start(app.database.clone(), from, filter, concern, query.cards, app.stop.clone()).await?;
    // What changed before the reader began to follow is in none of the events that it gets.
    let MaybeCaller(now) = MaybeCaller::from_request_parts(&mut request.into_parts().0, &app).await?;
    if !now.is_some_and(|now| now.has_same_rights_as(&caller)) {
        let sentence = "What you may see has just changed; send the request again.";
        return Err(Refusal::new(ErrorCode::Unauthorized, sentence).into());
    }
    let parts = stream::unfold(reader, async |mut reader| {
        let part = reader.next().await?;
        Some((Ok::<_, Infallible>(part), reader))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache"), (NO_BUFFER, "no")];
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// Which events change what the caller may see: the stream ends with them, and the client connects again as who it is then.
fn concern_of(caller: &Caller) -> Concern {
    let (session, token) = match caller {
        Caller::Person(session) => (Some(session.id), None),
        Caller::Token(token) => (None, Some(token.id)),
        _ => (None, None),
    };
    let until = match caller {
        Caller::Person(session) => Some(session.expires_at),
        Caller::Token(token) => token.expires_at,
        _ => None,
    };
    Concern { person: caller.person_id(), session, token, until, is_local: *caller == Caller::Local }
}

/// The kinds of events that a filter's words mean.
pub(super) fn kinds_of(words: Option<&str>) -> Result<Vec<EventKind>, Refusal> {
    let words = words.unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty());
    Ok(words.map(kinds_named).collect::<Result<Vec<_>, _>>()?.concat())
}

impl EventQuery {
    fn filter(&self) -> Result<Filter, Refusal> {
        let kinds = kinds_of(self.kind.as_deref())?;
        Ok(Filter { project: self.project_id, ticket: self.ticket_id, job: self.job_id, kinds, ..Filter::default() })
    }

    fn follow(&self, headers: &HeaderMap, wants_page: bool) -> Result<Follow, Refusal> {
        let last = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok()).filter(|id| !id.is_empty());
        match last.or(self.after.as_deref()) {
            None if wants_page => Ok(Follow::After(Position::start())),
            None | Some("now") => Ok(Follow::FromNow),
            Some("start") => Ok(Follow::After(Position::start())),
            Some(position) => {
                let refused = |error: crate::domain::live::position::InvalidPosition| {
                    Refusal::new(ErrorCode::InvalidQuery, format!("'after': {error}."))
                };
                Ok(Follow::After(position.parse().map_err(refused)?))
            }
        }
    }
}

/// The kinds that a word of the filter means: one, or a family.
fn kinds_named(word: &str) -> Result<Vec<EventKind>, Refusal> {
    let of_family = |kind: &&EventKind| kind.as_str().split('.').next() == Some(word);
    let kinds: Vec<_> = match word.parse() {
        Ok(kind) => vec![kind],
        Err(_) => EventKind::ALL.iter().filter(of_family).copied().collect(),
    };
    if kinds.is_empty() {
        let known: Vec<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        let shown: String = word.chars().take(80).collect();
        let sentence =
            format!("'kind' contains '{shown}', which is not a kind of event. Use one of: {}.", known.join(", "));
        return Err(Refusal::new(ErrorCode::InvalidQuery, sentence));
    }
    Ok(kinds)
}
