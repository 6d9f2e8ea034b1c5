//! Reads what is replied in each thread, from the Director's answer or from an agent's last message. Pure. A thread for which
//! nothing can be read has no reply: that is never an error.

use super::lenient::{list, sentence};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Replies by the number of their thread.
pub(super) type Replies = BTreeMap<u32, String>;

/// The names of a thread's number, and of a reply's text, in lists of objects.
const NUMBERS: &[&str] = &["thread", "number", "id", "point", "label", "key"];
const TEXTS: &[&str] = &["reply", "body", "text", "answer", "comment", "summary"];

/// What an object of the Director says: texts by number, or a list of them.
pub(super) fn of_value(value: &Value) -> Replies {
    match value {
        Value::Object(by_number) if named(by_number, NUMBERS).is_none() => {
            let entries = by_number.iter();
            entries.filter_map(|(key, value)| Some((number_in(key)?, text_of(value)?))).collect()
        }
        value => list(value).into_iter().enumerate().filter_map(|(at, entry)| of_entry(at, entry)).collect(),
    }
}

fn of_entry(at: usize, entry: &Value) -> Option<(u32, String)> {
    match entry {
        Value::Object(object) => {
            let number = match named(object, NUMBERS)? {
                Value::Number(number) => u32::try_from(number.as_u64()?).ok()?,
                Value::String(text) => number_in(text)?,
                _ => return None,
            };
            Some((number, text_of(named(object, TEXTS)?)?))
        }
        entry => Some((u32::try_from(at + 1).ok()?, text_of(entry)?)),
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Object(object) => named(object, TEXTS).and_then(sentence),
        value => sentence(value),
    }
}

pub(super) fn named<'a>(object: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    let find = |name: &&str| object.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name));
    names.iter().find_map(|name| find(name).map(|(_, value)| value))
}

/// The first number in a text such as `Thread 1`.
pub(super) fn number_in(text: &str) -> Option<u32> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let digits = &text[start..];
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// The message without its replies, and the replies: what is under a heading such as `### Reply to thread 1`, up to the
/// next one.
pub(super) fn of_message(message: &str) -> (String, Replies) {
    let (mut rest, mut replies) = (String::new(), Replies::new());
    let mut at: Option<u32> = None;
    for line in message.lines() {
        if let Some(number) = heading(line) {
            at = Some(number);
            replies.entry(number).or_default();
            continue;
        }
        let text = match at {
            Some(number) => replies.entry(number).or_default(),
            None => &mut rest,
        };
        text.push_str(line);
        text.push('\n');
    }
    replies.retain(|_, text| !text.trim().is_empty());
    replies.values_mut().for_each(|text| *text = text.trim().to_owned());
    (rest.trim().to_owned(), replies)
}

/// The number in a line that is a heading of a reply.
fn heading(line: &str) -> Option<u32> {
    let is_mark = |c: char| matches!(c, '#' | '*' | '_' | ':' | '.') || c.is_whitespace();
    let words = line.trim().trim_matches(is_mark).to_lowercase();
    let rest = words.strip_prefix("reply to thread").or_else(|| words.strip_prefix("reply in thread"))?;
    rest.trim().trim_start_matches('#').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn replies_are_read_in_every_form() {
        let expected = Replies::from([(1, "Renamed.".to_owned()), (2, "It stays.".to_owned())]);
        for value in [
            json!({"1": "Renamed.", "2": "It stays."}),
            json!({"Thread 1": {"reply": "Renamed."}, "thread_2": " It stays. "}),
            json!([{"thread": 1, "reply": "Renamed."}, {"Thread": "#2", "Body": "It stays."}]),
            json!(["Renamed.", "It stays."]),
        ] {
            assert_eq!(of_value(&value), expected, "{value}");
        }
        for value in
            [json!(null), json!([]), json!({"first": "x"}), json!([{"reply": "x"}]), json!({"1": null}), json!(true)]
        {
            assert_eq!(of_value(&value), Replies::new(), "{value}");
        }
        assert_eq!(of_value(&json!({"thread": 3, "text": "One."})), Replies::from([(3, "One.".to_owned())]));
    }

    #[test]
    fn an_agents_message_ends_with_its_replies() {
        let message = "I renamed it.\n\n### Reply to thread 1\n\nRenamed.\n\nTested.\n\n**Reply to thread 2:**\nIt stays.\n\
                       ### Reply to thread 3\n\n";
        let (rest, replies) = of_message(message);
        assert_eq!(rest, "I renamed it.");
        assert_eq!(replies, Replies::from([(1, "Renamed.\n\nTested.".to_owned()), (2, "It stays.".to_owned())]));
        let plain = "A reply to thread 1 is due.\nreply to thread one";
        assert_eq!(of_message(plain), (plain.to_owned(), Replies::new()));
    }
}
