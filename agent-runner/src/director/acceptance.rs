//! Reads what the Director says about each acceptance line. Pure. A line about which nothing can be read is not judged: that is
//! never an error.

use super::lenient::{sentence, yes_or_no};
use super::replies::{named, number_in};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What the Director says about the lines, by their number from 1.
pub(super) type Judgement = BTreeMap<u32, Judged>;

/// What the Director says about an acceptance line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// Whether it holds.
    pub met: bool,
    /// Where that shows, such as a file; empty if it does not say.
    pub place: String,
}

const NUMBERS: &[&str] = &["line", "number", "id"];
const MET: &[&str] = &["met", "holds", "done", "fulfilled"];
const PLACES: &[&str] = &["where", "place", "evidence", "file"];

/// An object of judgements by number, or a list of them.
pub(super) fn of_value(value: &Value) -> Judgement {
    match value {
        Value::Object(by_number) => {
            by_number.iter().filter_map(|(key, value)| Some((number_in(key)?, judged(value)?))).collect()
        }
        Value::Array(entries) => {
            let entries = entries.iter().enumerate();
            entries.filter_map(|(at, entry)| Some((number_of(at, entry)?, judged(entry)?))).collect()
        }
        _ => Judgement::new(),
    }
}

fn number_of(at: usize, entry: &Value) -> Option<u32> {
    match entry.as_object().and_then(|entry| named(entry, NUMBERS)) {
        Some(Value::Number(number)) => u32::try_from(number.as_u64()?).ok(),
        Some(Value::String(text)) => number_in(text),
        Some(_) => None,
        None => u32::try_from(at + 1).ok(),
    }
}

fn judged(value: &Value) -> Option<Judged> {
    match value {
        Value::Object(entry) => {
            let met = yes_or_no(named(entry, MET)?)?;
            Some(Judged { met, place: named(entry, PLACES).and_then(sentence).unwrap_or_default() })
        }
        value => Some(Judged { met: yes_or_no(value)?, place: String::new() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn judgements_are_read_in_whatever_form_and_what_is_unclear_is_none() {
        let met = |place: &str| Judged { met: true, place: place.to_owned() };
        let not = || Judged { met: false, place: String::new() };
        let two = Judgement::from([(1, met("a.rs")), (2, not())]);
        for said in [
            json!({"1": {"met": true, "where": "a.rs"}, "2": {"met": "no"}}),
            json!({"line 1": {"Met": "yes", "Evidence": "a.rs"}, "line 2": false}),
            json!([{"line": 1, "met": true, "file": "a.rs"}, {"line": "2", "met": false}]),
            json!([{"met": true, "where": "a.rs"}, {"met": 0}]),
            json!([{"met": true, "where": "a.rs"}, {"met": 0}, {"met": "perhaps"}, {"line": 9}]),
        ] {
            assert_eq!(of_value(&said), two, "{said}");
        }
        assert!(of_value(&json!("all of them")).is_empty());
    }
}
