//! The page for people: the built files of `web/`, compiled in.

use crate::http::layers;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName,
    IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::sync::LazyLock;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../web/dist"]
struct Built;

const INDEX: &str = "index.html";

/// Nothing from elsewhere, no script and no style but our own files: what an agent prints can't become code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// A file as it is sent.
struct Asset {
    plain: Bytes,
    /// Only where it is smaller.
    gzip: Option<Bytes>,
    /// The same for both encodings, so weak.
    etag: HeaderValue,
    kind: &'static str,
}

static ASSETS: LazyLock<HashMap<String, Asset>> = LazyLock::new(|| {
    let file = |path: Cow<'static, str>| {
        Built::get(&path).map(|file| (path.to_string(), Asset::new(&path, file.data.into_owned().into())))
    };
    Built::iter().filter_map(file).collect()
});

impl Asset {
    fn new(path: &str, plain: Bytes) -> Self {
        let digest = hex::encode(&Sha256::digest(&plain)[..12]);
        let gzip = compressed(&plain).filter(|gzip| gzip.len() < plain.len());
        let etag = HeaderValue::from_str(&format!("W/\"{digest}\"")).unwrap_or(HeaderValue::from_static("W/\"0\""));
        Self { plain, gzip, etag, kind: content_type(path) }
    }

    fn response(&self, headers: &HeaderMap) -> Response {
        let known = headers.get(IF_NONE_MATCH).is_some_and(|given| names(given, &self.etag));
        let mut response = match self.gzip.as_ref().filter(|_| accepts_gzip(headers)) {
            _ if known => StatusCode::NOT_MODIFIED.into_response(),
            Some(gzip) => ([(CONTENT_ENCODING, "gzip")], gzip.clone()).into_response(),
            None => self.plain.clone().into_response(),
        };
        let out = response.headers_mut();
        out.insert(ETAG, self.etag.clone());
        let fixed: [(HeaderName, &'static str); 8] = [
            (CONTENT_TYPE, self.kind),
            // Names stay the same from version to version, so a browser asks each time whether a file has changed.
            (CACHE_CONTROL, "no-cache"),
            (VARY, "accept-encoding"),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
            (REFERRER_POLICY, "no-referrer"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        ];
        for (name, value) in fixed {
            out.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// Serves the page's files. An address that the page itself draws, such as `/inbox`, gets its HTML; anything else is not
/// found, in JSON.
pub async fn serve(method: Method, uri: Uri, request: Request) -> Response {
    let reads = method == Method::GET || method == Method::HEAD;
    let path = uri.path().trim_start_matches('/');
    let asset = match path {
        _ if !reads => None,
        "" => ASSETS.get(INDEX),
        path => ASSETS.get(path).or_else(|| ASSETS.get(INDEX).filter(|_| is_page(path, request.headers()))),
    };
    match asset {
        Some(asset) => asset.response(request.headers()),
        None => layers::not_found(uri).await.into_response(),
    }
}

/// Whether a browser that goes to this address should see the page: not under `/api`, where a mistake should say so, and
/// not for files.
fn is_page(path: &str, headers: &HeaderMap) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    let html =
        headers.get_all(ACCEPT).iter().any(|value| value.to_str().is_ok_and(|value| value.contains("text/html")));
    html && first != "api" && !path.rsplit('/').next().unwrap_or_default().contains('.')
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let named = |part: &str| {
        let mut words = part.split(';').map(str::trim);
        words.next() == Some("gzip") && !words.any(|word| word == "q=0")
    };
    headers.get_all(ACCEPT_ENCODING).iter().any(|value| value.to_str().is_ok_and(|value| value.split(',').any(named)))
}

fn names(given: &HeaderValue, etag: &HeaderValue) -> bool {
    let plain = |text: &str| text.trim().trim_start_matches("W/").to_owned();
    let (Ok(given), Ok(etag)) = (given.to_str(), etag.to_str()) else { return false };
    given.split(',').any(|one| one.trim() == "*" || plain(one) == plain(etag))
}

fn compressed(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" | "webmanifest" => "application/json",
        "woff2" => "font/woff2",
        "png" => "image/png",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
