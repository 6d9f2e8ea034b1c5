//! Finds the JSON objects of an answer, whatever stands around them. Pure.
//!
//! Models write thoughts before an answer, words and fences around it, and JSON with commas or comments that JSON does
//! not know. What is found is parsed, never completed: an object without its end is not an answer.

use serde_json::{Map, Value};

/// How much of an answer is searched, in bytes, counted from its end: the answer comes last.
const MAX_BYTES: usize = 256 * 1024;

/// How many braces are tried as the beginning of an object.
const MAX_TRIES: usize = 1_000;

/// How much is read to repair one object, and in all, in bytes.
const MAX_REPAIR_BYTES: usize = 64 * 1024;
const REPAIR_BUDGET_BYTES: usize = 1024 * 1024;

/// How deep an object may be wrapped, e.g. as the arguments of a tool call.
const MAX_DEPTH: usize = 4;

/// Tags around thoughts, in lower case. Each may also stand in square brackets or in `◁▷`.
const THOUGHTS: &[&str] = &[
    "think",
    "thinking",
    "thought",
    "thoughts",
    "reasoning",
    "reason",
    "reflection",
    "analysis",
    "scratchpad",
    "mm:think",
    "seed:think",
];

/// The objects of an answer: those that stand by themselves in their order, and before them those inside of others.
/// So the last one that fits is the answer.
pub(super) fn objects(answer: &str) -> Vec<Map<String, Value>> {
    let text = tail(answer.trim_start_matches('\u{feff}').trim());
    // A whole object is the answer, even if a text in it names a tag.
    if let Ok(Value::Object(object)) = serde_json::from_str(text) {
        return with_inner(vec![object]);
    }
    if let Ok(Value::String(inner)) = serde_json::from_str::<Value>(text) {
        return objects(&inner);
    }
    let found = standing(without_thoughts(final_message(text)));
    if !found.is_empty() {
        return with_inner(found);
    }
    with_inner(last_of_thoughts(text).into_iter().collect())
}

/// The object at the very end of a text that is not an answer by itself, such as thoughts in a field of their own. A
/// draft in the middle of thoughts is not an answer.
pub(super) fn last_of_thoughts(text: &str) -> Option<Map<String, Value>> {
    let text = tail(text.trim());
    let end = text.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '`' | '>' | ']' | '|'));
    // What may follow the object: a fence, or a closing tag.
    let end = match end.rfind('}') {
        Some(brace) if is_closing(&text[brace + 1..]) => &text[..=brace],
        _ => return None,
    };
    standing(end).pop()
}

fn is_closing(rest: &str) -> bool {
    let rest = rest.trim().trim_matches('`').trim();
    rest.is_empty() || (rest.len() <= 40 && rest.starts_with(['<', '[']) && rest.ends_with(['>', ']']))
}

/// The end of a text, from a character's beginning.
fn tail(text: &str) -> &str {
    let mut from = text.len().saturating_sub(MAX_BYTES);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

/// The last message of an answer that still has the marks of its channels (`<|channel|>final<|message|>`).
fn final_message(text: &str) -> &str {
    let message = |from: &str| -> Option<usize> { text.rfind(from).map(|at| at + from.len()) };
    let Some(start) = message("<|channel|>final<|message|>").or_else(|| message("<|message|>")) else { return text };
    let rest = &text[start..];
    let end = ["<|end|>", "<|return|>", "<|call|>"].iter().filter_map(|mark| rest.find(mark)).min();
    &rest[..end.unwrap_or(rest.len())]
}

/// What follows the last end of thoughts, and what comes before the first beginning that has no end.
fn without_thoughts(text: &str) -> &str {
    // Lower case in ASCII keeps all positions.
    let lower = text.to_ascii_lowercase();
    let ends = THOUGHTS.iter().flat_map(|tag| [format!("</{tag}>"), format!("[/{tag}]"), format!("◁/{tag}▷")]);
    let after = ends.filter_map(|end| lower.rfind(&end).map(|at| at + end.len())).max().unwrap_or_default();
    let begins = THOUGHTS.iter().flat_map(|tag| [format!("<{tag}>"), format!("[{tag}]"), format!("◁{tag}▷")]);
    let rest = &text[after..];
    // Thoughts may also follow the answer.
    if standing(rest).is_empty() && after > 0 {
        let first = begins.filter_map(|begin| lower.find(&begin)).min().unwrap_or_default();
        return &text[..first];
    }
    let open = begins.filter_map(|begin| lower[after..].find(&begin)).min();
    &rest[..open.unwrap_or(rest.len())]
}

/// The objects that stand by themselves in a text, in their order.
fn standing(text: &str) -> Vec<Map<String, Value>> {
    let mut found = Vec::new();
    let mut from = 0;
    let mut budget = REPAIR_BUDGET_BYTES;
    for _ in 0..MAX_TRIES {
        let Some(start) = text[from..].find('{').map(|at| from + at) else { break };
        match object_at(&text[start..], &mut budget) {
            Some((object, length)) => {
                found.push(object);
                from = start + length;
            }
            None => from = start + 1,
        }
    }
    found
}

/// The object at the beginning of a text, and its length in bytes.
fn object_at(text: &str, budget: &mut usize) -> Option<(Map<String, Value>, usize)> {
    let mut strict = serde_json::Deserializer::from_str(text).into_iter::<Map<String, Value>>();
    if let Some(Ok(object)) = strict.next() {
        return Some((object, strict.byte_offset()));
    }
    let mut end = text.len().min(MAX_REPAIR_BYTES).min(*budget);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    *budget -= end;
    let (repaired, length) = repaired(&text[..end])?;
    Some((serde_json::from_str(&repaired).ok()?, length))
}

/// The object at the beginning of a text as proper JSON, and its length in the text: without comments and commas that
/// nothing follows, with line breaks in texts escaped, quotes doubled and Python's words replaced. None if it does not
/// end.
fn repaired(text: &str) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut open = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '"' | '\'' => copy_quoted(rest, first, &mut out)?,
            '“' => copy_quoted(rest, '”', &mut out)?,
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/")? + 2,
            '{' | '[' => {
                open.push(if first == '{' { '}' } else { ']' });
                out.push(first);
                1
            }
            '}' | ']' => {
                if open.pop() != Some(first) {
                    return None;
                }
                let kept = out.trim_end().trim_end_matches(',').len();
                out.truncate(kept);
                out.push(first);
                if open.is_empty() {
                    return Some((out, text.len() - rest.len() + 1));
                }
                1
            }
            first if first.is_alphabetic() => copy_word(rest, &mut out),
            other => {
                out.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    None
}

/// Copies a quoted text as JSON's; returns how much of the input it was.
fn copy_quoted(text: &str, quote: char, out: &mut String) -> Option<usize> {
    let mut characters = text.char_indices();
    characters.next();
    out.push('"');
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => match characters.next()?.1 {
                '\'' => out.push('\''),
                next => out.extend(['\\', next]),
            },
            end if end == quote => {
                out.push('"');
                return Some(at + end.len_utf8());
            }
            '"' => out.push_str("\\\""),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    None
}

/// Copies a word; a name without quotes gets them.
fn copy_word(text: &str, out: &mut String) -> usize {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let is_name = text[end..].trim_start().starts_with(':');
    match &text[..end] {
        name if is_name => out.push_str(&format!("\"{name}\"")),
        "True" => out.push_str("true"),
        "False" => out.push_str("false"),
        "None" | "NaN" | "Infinity" | "undefined" => out.push_str("null"),
        word => out.push_str(word),
    }
    end
}

/// Puts the objects inside of others before these.
fn with_inner(outer: Vec<Map<String, Value>>) -> Vec<Map<String, Value>> {
    let mut all = Vec::new();
    for object in &outer {
        object.values().for_each(|value| collect(value, MAX_DEPTH, &mut all));
    }
    all.extend(outer);
    all
}

fn collect(value: &Value, depth: usize, all: &mut Vec<Map<String, Value>>) {
    match value {
        _ if depth == 0 => {}
        Value::Object(object) => {
            object.values().for_each(|value| collect(value, depth - 1, all));
            all.push(object.clone());
        }
        Value::Array(entries) => entries.iter().for_each(|value| collect(value, depth - 1, all)),
        // Arguments of a tool call are a text with JSON in it.
        Value::String(text) if text.trim_start().starts_with('{') => {
            if let Ok(value @ Value::Object(_)) = serde_json::from_str(text) {
                collect(&value, depth - 1, all);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn last(answer: &str) -> Option<Value> {
        objects(answer).pop().map(Value::Object)
    }

    #[test]
    fn an_object_is_found_among_words_fences_and_thoughts() {
        for answer in [
            r#"{"a": 1}"#,
            "Sure:\n```json\n{\"a\": 1}\n```\nAnything else?",
            "<think>{\"a\": 2}</think>{\"a\": 1}",
            "I could say {\"a\": 2}.</think>\n{\"a\": 1}",
            "[THINK]{\"a\": 2}[/THINK]{\"a\": 1}",
            "{\"a\": 1}\n<thinking>or {\"a\": 2}?</thinking>",
            "<|channel|>analysis<|message|>{\"a\": 2}<|end|><|start|>assistant<|channel|>final<|message|>{\"a\": 1}<|return|>",
            "{\"a\": 2} or rather {\"a\": 1}",
            "<think>It is {\"a\": 2} or\n{\"a\": 1}",
            "fn main() { let x = {}; } gives {\"a\": 1}",
            "{'a': 1,}",
            "{a: 1 /* one */, // end\n}",
            "\"{\\\"a\\\": 1}\"",
        ] {
            assert_eq!(last(answer), Some(json!({ "a": 1 })), "{answer}");
        }
    }

    #[test]
    fn a_text_that_names_a_tag_or_breaks_a_line_stays_whole() {
        assert_eq!(last(r#"{"a": "remove </think> there"}"#), Some(json!({ "a": "remove </think> there" })));
        assert_eq!(last("{\"a\": \"one\ntwo\"}"), Some(json!({ "a": "one\ntwo" })));
        assert_eq!(last("{'a': 'say \"hi\"', 'b': True}"), Some(json!({ "a": "say \"hi\"", "b": true })));
    }

    #[test]
    fn what_has_no_end_is_not_completed_and_a_draft_is_not_taken() {
        assert_eq!(last(r#"{"a": tr"#), None);
        assert_eq!(last("no object { here }"), None);
        assert_eq!(last("<think>Perhaps {\"a\": 1}, but then I would have to look at it again"), None);
    }

    #[test]
    fn an_endless_answer_is_searched_in_bounded_time() {
        assert_eq!(last(&"{\"a\":".repeat(200_000)), None);
        assert_eq!(last(&format!("{}{{\"a\": 1}}", "{ ".repeat(100))), Some(json!({ "a": 1 })));
    }
}
