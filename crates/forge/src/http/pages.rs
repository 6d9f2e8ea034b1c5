//! Lists that come in pages. The next page is asked for at the address of the first, with the query that the forge names:
//! what stands before it may be another host, or an address from behind a proxy.

use super::{Call, Http, Reply};
use crate::ForgeError;
use reqwest::header::LINK;
use serde_json::Value;
use url::{Url, form_urlencoded};

/// The most pages of one list.
const MAX_PAGES: usize = 100;

impl Http {
    /// All items of a list. `key` names it where the response is an object.
    ///
    /// # Errors
    /// A page is refused or is not a list, or there are too many of them.
    pub(crate) async fn pages(&self, call: &Call, key: Option<&str>) -> Result<Vec<Value>, ForgeError> {
        let first = self.ok(call).await?;
        self.pages_from(first, call, key, |_| true).await
    }

    /// The items of a first page and of those after it, for as long as `goes_on` with the last item of a page.
    pub(crate) async fn pages_from(
        &self,
        first: Reply,
        call: &Call,
        key: Option<&str>,
        goes_on: impl Fn(&Value) -> bool + Send,
    ) -> Result<Vec<Value>, ForgeError> {
        let mut items = Vec::new();
        let (mut page, mut call) = (first, call.clone());
        call.headers.clear();
        for _ in 0..MAX_PAGES {
            let mut json = page.json();
            let list = match key {
                Some(key) => json.get_mut(key).map(Value::take).unwrap_or_default(),
                None => json.take(),
            };
            // An empty list is null where a forge is written in Go.
            let list = match list {
                Value::Array(list) => list,
                Value::Null if key.is_some() || page.text.trim() == "null" => Vec::new(),
                _ => return Err(self.odd(call.what)),
            };
            let ended = list.last().is_none_or(|last| !goes_on(last));
            items.extend(list);
            let next = next_query(&page).filter(|query| *query != call.query);
            let Some(query) = next.filter(|_| !ended) else { return Ok(items) };
            call.query = query;
            page = self.ok(&call).await?;
        }
        Err(self.refused(call.what, "the list is too long"))
    }
}

/// The query of the next page.
fn next_query(page: &Reply) -> Option<Vec<(String, String)>> {
    let links = page.headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    let next = links.flat_map(|value| value.split(',')).find(|link| link.contains("rel=\"next\""))?;
    let address = next.split_once('<')?.1.split_once('>')?.0;
    // It may be relative.
    let url = Url::parse("http://any/").ok()?.join(address).ok()?;
    Some(form_urlencoded::parse(url.query()?.as_bytes()).into_owned().collect())
}
