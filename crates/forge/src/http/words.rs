//! What a forge says about a refusal. GitHub has a message and a list of errors, GitLab a message that may be a text, a
//! list or a map, Gitea for a failed merge the output of git and no message at all; proxies have pages.

use super::Reply;
use serde_json::Value;

/// The most of a text that is shown, in bytes.
const MAX_SHOWN_BYTES: usize = 600;

/// The reason in a refusal; its status where there is none.
pub(super) fn said(reply: &Reply) -> String {
    let json = reply.json();
    let mut said =
        ["message", "error_description", "error"].iter().map(|key| plain(&json[*key])).find(|s| !s.is_empty());
    if said.is_none() {
        said = ["StdErr", "Err", "StdOut"].iter().map(|key| plain(&json[*key])).find(|s| !s.is_empty());
    }
    if said.is_none() && json.is_null() && !reply.text.trim_start().starts_with('<') {
        said = Some(plain(&Value::String(reply.text.clone()))).filter(|text| !text.is_empty());
    }
    let mut said = said.unwrap_or_else(|| reply.status.as_str().to_owned());
    for detail in json["errors"].as_array().into_iter().flatten() {
        let text = detail["message"].as_str().or(detail.as_str()).map_or_else(|| detail.to_string(), str::to_owned);
        said = format!("{said}: {text}");
    }
    let end = said.floor_char_boundary(MAX_SHOWN_BYTES);
    if end < said.len() {
        said.truncate(end);
        said.push('…');
    }
    said
}

/// A text, list or map as one line.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        Value::Array(all) => all.iter().map(plain).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", "),
        Value::Object(map) => {
            let parts = map.iter().map(|(key, value)| format!("{key}: {}", plain(value)));
            parts.collect::<Vec<_>>().join("; ")
        }
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;

    fn of(text: &str) -> String {
        said(&Reply { status: StatusCode::CONFLICT, headers: Default::default(), text: text.to_owned() })
    }

    #[test]
    fn every_way_to_say_no_becomes_one_line() {
        assert_eq!(
            of(r#"{"message": "Validation Failed", "errors": [{"message": "exists"}, "x"]}"#),
            "Validation Failed: exists: x"
        );
        assert_eq!(
            of(r#"{"message": {"base": ["is wrong", "is old"], "title": ["can't be blank"]}}"#),
            "base: is wrong, is old; title: can't be blank"
        );
        assert_eq!(
            of(r#"{"message": ["Another open merge request already exists"]}"#),
            "Another open merge request already exists"
        );
        assert_eq!(of(r#"{"error": "404 Project Not Found"}"#), "404 Project Not Found");
        let two = r#"{"Style":"merge","StdOut":"Auto-merging a","StdErr":"CONFLICT (content)\n in a","Err":{}}{"message":"","url":"u"}"#;
        assert_eq!(of(two), "CONFLICT (content) in a");
        assert_eq!(of("404 page not found\n"), "404 page not found");
        assert_eq!(of("<html><body>Bad gateway"), "409");
        assert_eq!(of(""), "409");
        assert!(of(&"long ".repeat(1000)).len() < 610);
    }
}
