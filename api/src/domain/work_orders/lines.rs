//! The lines of a work order: what it consists of, each with what must hold when it is done.

use crate::domain::refusal::Refusal;
use crate::domain::text;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// The most lines of one order.
const MAX_LINES: usize = 200;
/// The longest text of a line, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// The word for a line that is done.
pub const DONE: &str = "completed";
/// The word for a line that is not.
pub const OPEN: &str = "pending";

/// A line of a work order. What else its sender says of it is kept as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = WorkOrderLine)]
pub struct Line {
    /// What it is called; unique in its order.
    pub id: String,
    /// What to do.
    pub title: String,
    /// What must hold when it is done.
    #[serde(default)]
    pub definition_of_done: String,
    /// `pending`, `in_progress`, `completed` or `skipped`.
    #[serde(default = "open")]
    pub status: String,
    /// The rest.
    #[serde(flatten)]
    #[schema(ignore)]
    pub more: Map<String, Value>,
}

fn open() -> String {
    OPEN.to_owned()
}

impl Line {
    /// Whether it still has to be done.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.status.as_str(), OPEN | "in_progress" | "")
    }
}

/// The titles of the lines that are not done.
#[must_use]
pub fn open_titles(lines: &[Line]) -> Vec<&str> {
    lines.iter().filter(|line| line.is_open()).map(|line| line.title.as_str()).collect()
}

/// The word for a line's status.
///
/// # Errors
/// When there is no such word.
pub fn status(word: &str) -> Result<&'static str, Refusal> {
    match word.trim().to_ascii_lowercase().as_str() {
        "completed" | "complete" | "done" => Ok(DONE),
        "pending" | "open" | "todo" | "" => Ok(OPEN),
        "in_progress" | "running" => Ok("in_progress"),
        "skipped" => Ok("skipped"),
        _ => Err(Refusal::invalid("A line's 'status' must be pending, in_progress, completed or skipped.")),
    }
}

/// The lines of a new order: a list of objects or texts.
///
/// # Errors
/// When it is something else, or a line has no title.
pub fn parse(value: Value) -> Result<Vec<Line>, Refusal> {
    merge(&[], value)
}

/// These lines after a change: those whose id is known are changed in what the change names, others are added.
///
/// # Errors
/// When the change is no list of lines, or there would be too many.
pub fn merge(now: &[Line], change: Value) -> Result<Vec<Line>, Refusal> {
    let items = match change {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        _ => return Err(Refusal::invalid("'lines' must be a list of objects with a 'title'.")),
    };
    let mut lines = now.to_vec();
    let mut named = Vec::new();
    for item in items {
        let fields = fields_of(item)?;
        let id = id_of(&fields)?;
        if let Some(id) = &id {
            if named.contains(id) {
                return Err(Refusal::invalid(format!("Two of the 'lines' have the id '{id}'.")));
            }
            named.push(id.clone());
        }
        let known = id.as_ref().and_then(|id| lines.iter_mut().find(|line| line.id == *id));
        match known {
            Some(line) => change_line(line, fields)?,
            None => {
                let id = id.unwrap_or_else(|| free_id(&lines));
                lines.push(new_line(id, fields)?);
            }
        }
    }
    if lines.len() > MAX_LINES {
        return Err(Refusal::invalid(format!("A work order has at most {MAX_LINES} lines.")));
    }
    Ok(lines)
}

/// Sets one line's status, by its id or else by its place, which is counted from 1. Returns its place in the list.
///
/// # Errors
/// When there is no such line.
pub fn set_status(lines: &mut [Line], which: &str, word: &'static str) -> Result<usize, Refusal> {
    let by_place = || which.parse::<usize>().ok()?.checked_sub(1).filter(|place| *place < lines.len());
    let place = lines.iter().position(|line| line.id == which).or_else(by_place);
    let place = place.ok_or_else(|| Refusal::not_found("line", which))?;
    if let Some(line) = lines.get_mut(place) {
        word.clone_into(&mut line.status);
    }
    Ok(place)
}

fn fields_of(item: Value) -> Result<Map<String, Value>, Refusal> {
    let Value::Object(fields) = (match item {
        Value::String(title) => json!({"title": title}),
        item => item,
    }) else {
        return Err(Refusal::invalid("Each of the 'lines' must be an object with a 'title', or a text."));
    };
    if Value::Object(fields.clone()).to_string().len() > MAX_BYTES {
        return Err(Refusal::invalid(format!("One of the 'lines' is larger than {} KiB.", MAX_BYTES / 1024)));
    }
    Ok(fields)
}

fn id_of(fields: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    match fields.get("id") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(Value::String(id)) => text::title("id", id).map(Some),
        Some(_) => Err(Refusal::invalid("The 'id' of a line must be a text or a number.")),
    }
}

/// The next number that no line has as its id.
fn free_id(lines: &[Line]) -> String {
    let taken = |id: &str| lines.iter().any(|line| line.id == id);
    (lines.len() + 1..).map(|number| number.to_string()).find(|id| !taken(id)).unwrap_or_default()
}

fn new_line(id: String, fields: Map<String, Value>) -> Result<Line, Refusal> {
    if !fields.contains_key("title") {
        return Err(Refusal::invalid("Each of the 'lines' needs a 'title'."));
    }
    let mut line =
        Line { id, title: String::new(), definition_of_done: String::new(), status: open(), more: Map::new() };
    change_line(&mut line, fields)?;
    Ok(line)
}

fn change_line(line: &mut Line, fields: Map<String, Value>) -> Result<(), Refusal> {
    for (name, value) in fields {
        let given = match (name.as_str(), value) {
            ("id", _) => continue,
            ("title" | "definition_of_done" | "status", Value::String(given)) => given,
            ("definition_of_done" | "status", Value::Null) => String::new(),
            ("title" | "definition_of_done" | "status", _) => {
                return Err(Refusal::invalid(format!("The '{name}' of a line must be a text.")));
            }
            (_, value) => {
                line.more.insert(name, value);
                continue;
            }
        };
        match name.as_str() {
            "title" => line.title = text::title("title", &given)?,
            "status" => status(&given)?.clone_into(&mut line.status),
            _ => line.definition_of_done = given.trim().to_owned(),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_get_ids_and_keep_what_else_is_said_of_them() {
        let lines = parse(json!(["First", {"title": "Second", "definition_of_done": "It works", "effort": 3},
            {"id": 7, "title": "Third", "status": "done"}]))
        .unwrap();
        let ids: Vec<_> = lines.iter().map(|line| line.id.as_str()).collect();
        assert_eq!(ids, ["1", "2", "7"]);
        assert_eq!(open_titles(&lines), ["First", "Second"]);
        let stored = json!(lines);
        assert_eq!(stored[1]["effort"], 3);
        assert_eq!(stored[2]["status"], "completed");
        assert_eq!(serde_json::from_value::<Vec<Line>>(stored).unwrap(), lines);
    }

    #[test]
    fn a_change_names_lines_and_removes_none() {
        let lines = parse(json!([{"id": "a", "title": "A", "note": 1}, {"id": "b", "title": "B"}])).unwrap();
        let then = merge(&lines, json!([{"id": "b", "status": "completed"}, {"title": "C"}])).unwrap();
        assert_eq!(open_titles(&then), ["A", "C"]);
        assert_eq!(then[0], lines[0]);
        assert_eq!(then[2].id, "3");
    }

    #[test]
    fn a_line_is_set_by_id_or_by_place() {
        let mut lines = parse(json!([{"id": "a", "title": "A"}, {"id": "1", "title": "B"}])).unwrap();
        assert_eq!(set_status(&mut lines, "1", DONE).unwrap(), 1, "the id comes first");
        assert_eq!(set_status(&mut lines, "2", OPEN).unwrap(), 1);
        assert_eq!(set_status(&mut lines, "a", DONE).unwrap(), 0);
        for missing in ["0", "3", "c", "-1", ""] {
            assert!(set_status(&mut lines, missing, DONE).is_err(), "{missing}");
        }
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for wrong in [
            json!("text"),
            json!([1]),
            json!([{"definition_of_done": "x"}]),
            json!([{"title": " "}]),
            json!([{"title": 1}]),
            json!([{"title": "x", "status": "perhaps"}]),
            json!([{"id": "a", "title": "x"}, {"id": "a", "title": "y"}]),
            json!([{"id": [], "title": "x"}]),
            json!([{"title": "x", "note": "n".repeat(MAX_BYTES)}]),
            Value::Array(vec![json!("x"); MAX_LINES + 1]),
        ] {
            assert!(parse(wrong.clone()).is_err(), "{}", &wrong.to_string()[..wrong.to_string().len().min(80)]);
        }
    }
}
