//! A thin HTTP client: one connection, one request at a time. The load must cost less than what it measures.

use anyhow::Context;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    key: Option<String>,
    cookie: Option<String>,
}

/// A status and a body.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl HttpResponse {
    /// The body, if the status is this one.
    pub(crate) fn json(&self, status: u16) -> anyhow::Result<Value> {
        let text = || String::from_utf8_lossy(&self.body).chars().take(300).collect::<String>();
        anyhow::ensure!(self.status == status, "the status is {} instead of {status}: {}", self.status, text());
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", text()))
    }
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("could not connect")?;
        stream.set_nodelay(true).context("could not set up the connection")?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.context("could not connect")?;
        tokio::spawn(async move {
            // The next request fails when it has ended.
            let _ = connection.await;
        });
        Ok(Self { sender, host: address.to_string(), key: None, cookie: None })
    }

    /// Sends this key with every request from now on.
    pub(crate) fn with_key(mut self, key: &str) -> Self {
        self.key = Some(format!("Bearer {key}"));
        self
    }

    /// Sends this cookie with every request from now on.
    pub(crate) fn with_cookie(mut self, cookie: String) -> Self {
        self.cookie = Some(cookie);
        self
    }

    pub(crate) async fn send(&mut self, method: Method, path: &str, body: String) -> anyhow::Result<HttpResponse> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, "application/json");
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let request = request.body(Full::new(Bytes::from(body))).context("could not build the request")?;
        self.sender.ready().await.context("the connection is closed")?;
        let response = self.sender.send_request(request).await.context("no response")?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.context("the response broke off")?.to_bytes();
        Ok(HttpResponse { status, body })
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<HttpResponse> {
        self.send(Method::POST, path, body.to_string()).await
    }
}
