//! Accepts connections and serves HTTP on them, so that no client shuts others out: connections without a request end after a
//! while, or as soon as their seats are needed, each peer has a share of them, and `/health` responds whatever happens.

mod deadline;
mod files;
mod seats;

pub use files::{connections_for, raise_limit};
pub use seats::{Limits, Seats};

use crate::domain::refusal::{ErrorCode, Refusal};
use crate::http::error::ApiError;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse, Response};
use deadline::DeadlineBody;
use http::Request;
use http::header::CONNECTION;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use seats::{Busy, Kind, Seat};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tower_http::timeout::TimeoutBody;

/// How long a peer may read nothing of what is sent to it.
const STUCK_LIMIT: Duration = Duration::from_secs(30);
/// The longest pause of a connection that has no seat.
const RESERVE_IDLE_LIMIT: Duration = Duration::from_secs(5);
/// How long an idle connection that has to leave may take. A request that arrives at this moment still gets a response.
const LEAVE_LIMIT: Duration = Duration::from_secs(1);
/// The pause after the system had no room for a connection.
const FULL_PAUSE: Duration = Duration::from_millis(50);

/// How long slow clients are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long a connection may have no request, and how long a request's headers may take. Longer than clients keep
    /// connections for later use, so that they rarely meet one that is being closed.
    pub idle: Duration,
    /// How long a request's body may pause.
    pub body_pause: Duration,
    /// How long a request's body may take, however steadily it arrives.
    pub body: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { idle: Duration::from_secs(120), body_pause: Duration::from_secs(30), body: Duration::from_secs(120) }
    }
}

/// Serves on one listener until `stop`, and returns when its last connection has ended.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    seats: Arc<Seats>,
    patience: Patience,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                end_when_stuck(&stream);
                let seat = seats.enter(peer.ip());
                connections.spawn(serve_connection(stream, peer, router.clone(), seat, patience, stop.clone()));
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(error = %error, "could not accept a connection; closing one that is idle, and retrying");
                seats.make_room();
                tokio::select! {
                    () = tokio::time::sleep(FULL_PAUSE) => {}
                    () = stop.cancelled() => break,
                }
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// The peer was gone before it was accepted.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Lets the system end a connection whose peer reads nothing for a while: a stuck reader of a stream must not keep its
/// connection for ever.
fn end_when_stuck(connection: &TcpStream) {
    let limit_ms = u32::try_from(STUCK_LIMIT.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(connection, limit_ms) {
        tracing::debug!(error = %error, "could not limit how long a connection may be stuck");
    }
}

async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    seat: Seat,
    patience: Patience,
    stop: CancellationToken,
) {
    let idle_limit = if seat.kind() == Kind::Reserve { RESERVE_IDLE_LIMIT } else { patience.idle };
    let service = service_fn(|request| respond(request, peer, router.clone(), &seat, patience));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(idle_limit);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // How a connection ends is its client's business.
        _ = connection.as_mut() => return,
        () = stop.cancelled() => {}
        () = seat.has_to_leave() => {}
    }
    connection.as_mut().graceful_shutdown();
    if stop.is_cancelled() {
        let _ = connection.await;
        return;
    }
    let served = tokio::time::timeout(LEAVE_LIMIT, connection.as_mut()).await.is_ok();
    if !served && seat.is_busy() {
        let _ = connection.await;
    }
}

async fn respond(
    request: Request<Incoming>,
    peer: SocketAddr,
    router: Router,
    seat: &Seat,
    patience: Patience,
) -> Result<Response, Infallible> {
    let busy = seat.busy();
    // A request on a connection that was told to leave came too late: its seat is another's now.
    let has_seat = seat.kind() == Kind::Seat && !seat.was_told_to_leave();
    let mut response = if !has_seat && request.uri().path() != "/health" {
        full().into_response()
    } else {
        let mut request = request.map(|body| limited(body, patience));
        request.extensions_mut().insert(ConnectInfo(peer));
        router.oneshot(request).await?
    };
    if !has_seat {
        response.headers_mut().insert(CONNECTION, http::HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| Body::new(BusyBody { body, _busy: busy })))
}

/// A body that ends with an error when it takes too long.
fn limited(body: Incoming, patience: Patience) -> Body {
    if body.is_end_stream() {
        return Body::empty();
    }
    Body::new(DeadlineBody::new(patience.body, TimeoutBody::new(patience.body_pause, Body::new(body))))
}

fn full() -> ApiError {
    let sentence = "The API has no connection left for you: too many requests are in progress, of all clients or of your \
                    address; try again soon.";
    Refusal::new(ErrorCode::TooManyConnections, sentence).into()
}

/// A response's body; its connection is busy until it was sent.
struct BusyBody {
    body: Body,
    _busy: Busy,
}

impl hyper::body::Body for BusyBody {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Poll::Ready(ready!(Pin::new(&mut self.body).poll_frame(context)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
