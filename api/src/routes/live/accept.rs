//! Which of the two forms of the event log a client prefers, by its header `Accept` (RFC 9110, 12.5.1).

use http::HeaderMap;
use http::header::ACCEPT;

/// How much a client wants a form: its weight in thousandths, then how exactly the form was named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Preference {
    weight: u16,
    exactness: u8,
}

/// Whether the client prefers a page of JSON to a stream. A client that wants both alike gets the stream.
pub(super) fn prefers_json(headers: &HeaderMap) -> bool {
    let ranges: Vec<_> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(parse_range)
        .collect();
    preference(&ranges, "application", "json") > preference(&ranges, "text", "event-stream")
}

/// The range that names the form most exactly decides.
fn preference(ranges: &[(String, u16)], kind: &str, subtype: &str) -> Preference {
    let exactness = |range: &str| match range.split_once('/') {
        Some((a, b)) if a == kind && b == subtype => Some(3),
        Some((a, "*")) if a == kind => Some(2),
        Some(("*", "*")) => Some(1),
        _ => None,
    };
    let matching = ranges.iter().filter_map(|(range, weight)| Some((exactness(range)?, *weight)));
    let most_exact = matching.max().map(|(exactness, weight)| Preference { weight, exactness });
    // What is not wanted at all is not wanted however exactly it is named.
    most_exact.filter(|preference| preference.weight > 0).unwrap_or_default()
}

/// A range such as `text/*;q=0.5`, and its weight in thousandths; one that can't be read counts as 1.
fn parse_range(text: &str) -> (String, u16) {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().unwrap_or_default().to_ascii_lowercase();
    let weight = parts
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
        .and_then(|(_, weight)| weight.trim().parse::<f32>().ok())
        .map_or(1.0, |weight| weight.clamp(0.0, 1.0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
    (range, (weight * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_and_exactness_decide_and_the_stream_wins_a_tie() {
        for (accept, json) in [
            ("application/json", true),
            ("APPLICATION/JSON; charset=utf-8", true),
            ("application/json, text/plain, */*", true),
            ("application/json;q=0.9, */*;q=0.1", true),
            ("application/json, text/event-stream;q=0.5", true),
            ("application/json, text/event-stream;q=0", true),
            ("text/event-stream;q=0, */*", true),
            ("application/*", true),
            ("text/event-stream", false),
            ("application/json, text/event-stream", false),
            ("application/json;q=0.2, text/event-stream;q=0.9", false),
            ("application/json;q=0, */*", false),
            ("application/json;q=0", false),
            ("*/*", false),
            ("text/html", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().expect("a header"));
            assert_eq!(prefers_json(&headers), json, "{accept}");
        }
        assert!(!prefers_json(&HeaderMap::new()));
    }
}
