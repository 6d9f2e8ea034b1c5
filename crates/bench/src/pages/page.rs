//! An open page, as the API sees one: a stream, and lists that are loaded again when events make them old.

use super::screen::{List, Screen};
use crate::http::Connection;
use anyhow::{Context, ensure};
use bytes::Bytes;
use http::header::{ACCEPT, COOKIE, HOST};
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// What all pages received.
#[derive(Debug, Default)]
pub(super) struct Seen {
    events: AtomicU64,
    pub(super) cards: AtomicU64,
    lists: AtomicU64,
    list_bytes: AtomicU64,
    frames: AtomicU64,
    bytes: AtomicU64,
}

impl Seen {
    pub(super) fn reset(&self) {
        for count in [&self.events, &self.cards, &self.lists, &self.list_bytes, &self.frames, &self.bytes] {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// In words.
    pub(super) fn per_second(&self, time: Duration) -> String {
        let rate = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64 / time.as_secs_f64();
        format!(
            "{:.0} events/s, {:.0} cards/s, in {:.0} writes/s of {:.0} KiB/s; {:.0} lists/s of {:.0} KiB/s",
            rate(&self.events),
            rate(&self.cards),
            rate(&self.frames),
            rate(&self.bytes) / 1024.0,
            rate(&self.lists),
            rate(&self.list_bytes) / 1024.0
        )
    }
}

/// An open page: its stream, and the connection on which it loads lists.
pub(super) struct Page {
    stream: http::Response<hyper::body::Incoming>,
    /// The part of an event that has come so far.
    begun: Vec<u8>,
    lists: Connection,
    project: String,
    screen: Screen,
    /// Since when lists are old, and when each was loaded last.
    stale: Vec<(List, Instant)>,
    loaded: Vec<(List, Instant)>,
    seen: Arc<Seen>,
}

impl Page {
    /// Opens it for the person whose cookie this is.
    pub(super) async fn open(
        address: SocketAddr,
        project: &str,
        screen: Screen,
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
        let lists = Connection::open(address).await?.with_cookie(cookie);
        let (begun, stale, loaded) = (Vec::new(), Vec::new(), Vec::new());
        let mut page = Self { stream, begun, lists, project: project.to_owned(), screen, stale, loaded, seen };
        page.load(List::Summary).await?;
        page.load_screen().await?;
        Ok(page)
    }

    async fn load_screen(&mut self) -> anyhow::Result<()> {
        for list in self.screen.lists() {
            self.load(*list).await?;
        }
        Ok(())
    }

    async fn load(&mut self, list: List) -> anyhow::Result<()> {
        let now = Instant::now();
        self.loaded.retain(|(other, _)| *other != list);
        self.loaded.push((list, now));
        self.stale.retain(|(other, _)| *other != list);
        let response = self.lists.send(Method::GET, &list.path(&self.project, &self.screen), String::new()).await?;
        self.seen.lists.fetch_add(1, Ordering::Relaxed);
        self.seen.list_bytes.fetch_add(response.body.len() as u64, Ordering::Relaxed);
        ensure!(response.status == 200, "{list:?} was answered with {}", response.status);
        if list == List::Log {
            self.screen.take_log(&response.json(200)?);
        }
        Ok(())
    }

    /// The list that is loaded again next, and when.
    fn next_due(&self) -> Option<(List, Instant)> {
        let due = self.stale.iter().map(|(list, since)| {
            let loaded = self.loaded.iter().find(|(other, _)| other == list).map_or(*since, |(_, at)| *at);
            (*list, list.due(*since, loaded))
        });
        due.min_by_key(|(_, at)| *at)
    }

    /// Follows until it is stopped, or its stream ends.
    pub(super) async fn live(mut self) -> anyhow::Result<()> {
        loop {
            let due = self.next_due();
            let frame = tokio::select! {
                frame = self.stream.body_mut().frame() => frame,
                () = tokio::time::sleep_until(due.map_or_else(Instant::now, |(_, at)| at)), if due.is_some() => {
                    if let Some((list, _)) = due {
                        self.load(list).await?;
                    }
                    continue;
                }
            };
            let frame = frame.context("the stream ended")?.context("the stream broke off")?;
            let Some(data) = frame.data_ref() else { continue };
            self.seen.frames.fetch_add(1, Ordering::Relaxed);
            self.seen.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
            self.begun.extend_from_slice(data);
            self.take_events().await?;
        }
    }

    async fn take_events(&mut self) -> anyhow::Result<()> {
        let mut begun = std::mem::take(&mut self.begun);
        let end = begun.windows(2).rposition(|pair| pair == b"\n\n").map_or(0, |at| at + 2);
        let whole = String::from_utf8_lossy(&begun[..end]).into_owned();
        begun.drain(..end);
        self.begun = begun;
        for text in whole.split("\n\n") {
            if text.starts_with("event: card") {
                self.seen.cards.fetch_add(1, Ordering::Relaxed);
            } else if let Some((_, data)) = text.split_once("data: ") {
                self.seen.events.fetch_add(1, Ordering::Relaxed);
                self.take(&serde_json::from_str(data).context("an event is not JSON")?).await?;
            }
        }
        Ok(())
    }

    async fn take(&mut self, event: &Value) -> anyhow::Result<()> {
        for list in self.screen.touched_by(event) {
            if self.stale.iter().all(|(other, _)| *other != list) {
                self.stale.push((list, Instant::now()));
            }
        }
        if self.screen.follow(event) {
            self.load_screen().await?;
        }
        Ok(())
    }
}
