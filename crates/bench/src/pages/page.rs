//! An open page, as the API sees one: a stream, and lists that are loaded again when events make them old.

use crate::http::Connection;
use anyhow::{Context, ensure};
use bytes::Bytes;
use http::header::{ACCEPT, COOKIE, HOST};
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// A page gathers events for this long, and loads the same list again at most so often (web/src/live/refresh.ts).
const GATHER: Duration = Duration::from_millis(200);
const LIST_EVERY: Duration = Duration::from_millis(2_500);

/// What all pages received.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) cards: AtomicU64,
    lists: AtomicU64,
    frames: AtomicU64,
    bytes: AtomicU64,
}

impl Seen {
    pub(super) fn reset(&self) {
        for count in [&self.cards, &self.lists, &self.frames, &self.bytes] {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// In words.
    pub(super) fn per_second(&self, time: Duration) -> String {
        let rate = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64 / time.as_secs_f64();
        let kib = rate(&self.bytes) / 1024.0;
        let (cards, lists, frames) = (rate(&self.cards), rate(&self.lists), rate(&self.frames));
        format!("{cards:.0} cards/s, {lists:.0} lists/s, {frames:.0} writes/s of {kib:.0} KiB/s on streams")
    }
}

/// An open page: its stream, and the connection on which it loads lists again.
pub(super) struct Page {
    stream: http::Response<hyper::body::Incoming>,
    lists: Connection,
    seen: Arc<Seen>,
}

impl Page {
    /// Opens it for the person whose cookie this is.
    pub(super) async fn open(
        address: SocketAddr,
        project: &str,
        cookie: String,
        seen: Arc<Seen>,
    ) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("could not connect")?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.context("could not connect")?;
        tokio::spawn(async move {
            // The stream's end says that it has ended.
            let _ = connection.await;
        });
        let request = Request::get("/api/events?after=now&cards=true").header(HOST, address.to_string());
        let request = request.header(ACCEPT, "text/event-stream").header(COOKIE, &cookie).body(Empty::<Bytes>::new());
        let mut stream =
            sender.send_request(request.context("could not build the request")?).await.context("no response")?;
        ensure!(stream.status().is_success(), "the status is {}", stream.status());
        stream.body_mut().frame().await.context("the stream ended")?.context("the stream broke off")?;
        let mut lists = Connection::open(address).await?.with_cookie(cookie);
        for path in [format!("/api/projects/{project}/board"), "/api/summary".into(), "/api/inbox".into()] {
            lists.send(Method::GET, &path, String::new()).await?.json(200)?;
        }
        Ok(Self { stream, lists, seen })
    }

    /// Follows until it is stopped, or its stream ends.
    pub(super) async fn live(mut self) {
        let (mut loaded, mut stale_since) = (Instant::now(), None);
        loop {
            let due = stale_since.map_or(loaded, |since: Instant| (since + GATHER).max(loaded + LIST_EVERY));
            let frame = tokio::select! {
                frame = self.stream.body_mut().frame() => frame,
                () = tokio::time::sleep_until(due), if stale_since.is_some() => {
                    (stale_since, loaded) = (None, Instant::now());
                    for path in ["/api/summary", "/api/inbox"] {
                        match self.lists.send(Method::GET, path, String::new()).await {
                            Ok(response) if response.status == 200 => self.seen.lists.fetch_add(1, Ordering::Relaxed),
                            // Ends the page, which the measurement notices.
                            _ => return,
                        };
                    }
                    continue;
                }
            };
            let Some(Ok(frame)) = frame else { return };
            let Some(data) = frame.data_ref() else { continue };
            let text = String::from_utf8_lossy(data);
            self.seen.cards.fetch_add(text.matches("event: card").count() as u64, Ordering::Relaxed);
            self.seen.frames.fetch_add(1, Ordering::Relaxed);
            self.seen.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
            if ["\"kind\":\"job.", "\"kind\":\"attempt.", "\"kind\":\"ticket."].iter().any(|kind| text.contains(kind)) {
                stale_since.get_or_insert_with(Instant::now);
            }
        }
    }
}
