//! Reads values that servers and models write in more than one form: numbers as texts, one entry instead of a list,
//! a list of parts instead of a text. Pure.

use serde_json::Value;

/// A count of tokens. Texts of digits and fractions count; what is negative or anything else is not known.
pub(super) fn count(value: &Value) -> Option<u64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    // A float-to-integer cast saturates and cuts off the fraction.
    (number.is_finite() && number >= 0.0).then_some(number as u64)
}

/// The entries of a list; a single entry, or an object with the positions as names, counts as a list.
pub(super) fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(entries) => entries.iter().collect(),
        Value::Object(entries) if !entries.is_empty() && entries.keys().all(|key| key.parse::<u32>().is_ok()) => {
            entries.values().collect()
        }
        other => vec![other],
    }
}

/// A yes or no, also as a text or a number.
pub(super) fn yes_or_no(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(is_so) => Some(*is_so),
        Value::Number(number) => match number.as_f64()? {
            1.0 => Some(true),
            0.0 => Some(false),
            _ => None,
        },
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "true" | "yes" => Some(true),
            "false" | "no" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A text for people; a list becomes a line for each entry. None for what is absent, `null` or blank.
pub(super) fn sentence(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(entries) => entries.iter().filter_map(sentence).collect::<Vec<_>>().join("\n"),
        Value::Object(parts) => {
            let lines = parts.iter().filter_map(|(name, part)| Some(format!("{name}: {}", sentence(part)?)));
            lines.collect::<Vec<_>>().join("\n")
        }
        Value::Null | Value::Bool(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn counts_are_read_in_every_form_and_nonsense_is_not_known() {
        let counts = [json!(12), json!("12"), json!(12.7), json!(" 12 ")].map(|value| count(&value));
        assert_eq!(counts, [Some(12); 4]);
        let unknown = [json!(-35), json!(null), json!("many"), json!({}), json!("NaN")].map(|value| count(&value));
        assert_eq!(unknown, [None; 5]);
    }

    #[test]
    fn one_entry_and_numbered_entries_count_as_a_list() {
        assert_eq!(list(&json!({ "0": "a", "1": "b" })), [&json!("a"), &json!("b")]);
        assert_eq!(list(&json!({ "text": "a" })), [&json!({ "text": "a" })]);
        assert!(list(&Value::Null).is_empty());
    }

    #[test]
    fn a_sentence_may_be_a_list() {
        assert_eq!(sentence(&json!(["Add a test", "", "Run it"])).unwrap(), "Add a test\nRun it");
        assert_eq!(sentence(&json!("  ")), None);
        assert_eq!(yes_or_no(&json!("Yes")), Some(true));
        assert_eq!(yes_or_no(&json!("perhaps")), None);
    }
}
