//! GitHub's GraphQL, for the few things that REST does not have. It says no with 200 and a list of errors.

use super::GitHub;
use crate::ForgeError;
use crate::http::{Call, PULL};
use serde_json::{Value, json};
use url::Url;

impl GitHub {
    /// The data of a query. What is asked for must be harmless to repeat.
    pub(super) async fn graphql(&self, query: &str, variables: &Value) -> Result<Value, ForgeError> {
        let call = Call::post("", json!({"query": query, "variables": variables})).at(address(self.http.api()));
        let json = self.http.ok(&call).await?.json();
        let Some(error) = json["errors"].as_array().and_then(|errors| errors.first()) else {
            return Ok(json["data"].clone());
        };
        let message = error["message"].as_str().unwrap_or_default();
        Err(self.http.refused(PULL, message))
    }
}

/// Where GraphQL is: beside the REST API's `/api/v3` on Enterprise Server, else below its base.
fn address(api: &Url) -> Url {
    let mut url = api.clone();
    let path = api.path().trim_end_matches('/');
    let path = path.strip_suffix("/v3").unwrap_or(path);
    url.set_path(&format!("{path}/graphql"));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphql_is_at_the_same_host() {
        let at = |api: &str| address(&api.parse().unwrap()).to_string();
        assert_eq!(at("https://api.github.com"), "https://api.github.com/graphql");
        assert_eq!(at("https://git.example/api/v3/"), "https://git.example/api/graphql");
    }
}
