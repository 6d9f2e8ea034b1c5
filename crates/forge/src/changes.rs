//! What has changed since an instant: the same for all forges, but for the query.

use crate::ForgeError;
use crate::github::read::text;
use crate::http::{Call, Http, PULL};
use crate::types::{Changes, Conditional, Pull};
use crate::when::is_before;
use reqwest::StatusCode;
use serde_json::Value;

/// The pull requests of a list, the last changed one first, up to the instant. `read` reads one of them.
pub(crate) async fn changed(
    http: &Http,
    call: Call,
    since: Option<&str>,
    etag: Option<&str>,
    read: fn(&Value) -> Option<Pull>,
) -> Result<Conditional<Vec<Pull>>, ForgeError> {
    let call = call.unless(etag);
    let first = http.send(&call).await?;
    if first.status == StatusCode::NOT_MODIFIED {
        return Ok(Conditional::NotModified);
    }
    if !first.status.is_success() {
        return Err(http.refusal(PULL, &first));
    }
    let etag = first.header("etag").map(str::to_owned);
    let is_old = |pull: &Value| since.is_some_and(|since| is_before(&text(&pull["updated_at"]), since));
    let mut items = http.pages_from(first, &call, None, |last| !is_old(last)).await?;
    items.retain(|pull| !is_old(pull));
    let value = items.iter().map(read).collect::<Option<_>>().ok_or_else(|| http.odd(PULL))?;
    Ok(Conditional::Changed(Changes { value, etag }))
}
