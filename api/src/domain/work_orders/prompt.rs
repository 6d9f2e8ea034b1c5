//! The prompt of a work order: a pure function of what the order says, so that it can be previewed.

use super::OrderContent;
use super::lines::Line;
use serde_json::Value;
use std::fmt::Write as _;
use uuid::Uuid;

/// The most that is said of what is known already, in bytes.
const MAX_KNOWN_BYTES: usize = 16 * 1024;

/// What a prompt is made of beside the order's own text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// The order; none for a preview of one that does not exist yet.
    pub id: Option<Uuid>,
    /// What its agent is told in each prompt.
    pub system_prompt: Option<&'a str>,
    /// What the memory has about it, the best first.
    pub known: &'a [String],
}

/// The prompt: the order's id, its objective, its lines with what must hold when they are done, constraints, hints and
/// verification as they were given, what is known already, and how to work.
#[must_use]
pub fn prompt(order: &OrderContent, beside: Beside<'_>) -> String {
    let mut text = String::new();
    if let Some(id) = beside.id {
        let _ = writeln!(text, "WORK_ORDER_ID={id}\n");
    }
    let _ = write!(text, "## Objective\n\n{}\n", order.objective.trim());
    if !order.lines.is_empty() {
        text.push_str("\n## Lines\n\n");
        for (place, line) in order.lines.iter().enumerate() {
            push_line(&mut text, place + 1, line);
        }
    }
    for (title, value) in [
        ("Constraints", &order.constraints),
        ("Exploration hints", &order.exploration_hints),
        ("Verification", &order.verification),
    ] {
        push_json(&mut text, title, value);
    }
    push_known(&mut text, beside.known);
    push_instructions(&mut text, order, beside.system_prompt);
    text
}

fn push_line(text: &mut String, number: usize, line: &Line) {
    let done = if line.is_open() { "" } else { " (done already)" };
    let _ = writeln!(text, "{number}. {}{done}", line.title);
    if !line.definition_of_done.is_empty() {
        let indented = line.definition_of_done.replace('\n', "\n   ");
        let _ = writeln!(text, "   Done when: {indented}");
    }
}

/// A section with free JSON, unless there is nothing in it.
fn push_json(text: &mut String, title: &str, value: &Value) {
    if value.as_object().is_none_or(serde_json::Map::is_empty) {
        return;
    }
    let shown = serde_json::to_string_pretty(value).unwrap_or_default();
    let _ = write!(text, "\n## {title}\n\n```json\n{shown}\n```\n");
}

fn push_known(text: &mut String, known: &[String]) {
    let mut left = MAX_KNOWN_BYTES;
    let fitting = known.iter().map(|one| one.trim()).filter(|one| !one.is_empty()).take_while(|one| {
        let fits = one.len() <= left;
        left = left.saturating_sub(one.len());
        fits
    });
    let mut heading = "\n## What earlier work has shown\n\n";
    for one in fitting {
        let _ = writeln!(text, "{heading}- {}", one.replace('\n', "\n  "));
        heading = "";
    }
}

fn push_instructions(text: &mut String, order: &OrderContent, system_prompt: Option<&str>) {
    text.push_str("\n## Instructions\n\n");
    if let Some(own) = system_prompt.map(str::trim).filter(|own| !own.is_empty()) {
        let _ = write!(text, "{own}\n\n");
    }
    if !order.lines.is_empty() {
        text.push_str("- Work on the lines in their order. A line is done when what stands at \"Done when\" holds.\n");
    }
    if order.constraints.as_object().is_some_and(|fields| !fields.is_empty()) {
        text.push_str("- Keep to the constraints, also where that makes the change larger.\n");
    }
    match order.verification.get("test_command").and_then(Value::as_str) {
        Some(command) => {
            let _ = writeln!(text, "- Before you end, run `{command}` and mend what fails.");
        }
        None => text.push_str("- Before you end, run the tests that concern your change and mend what fails.\n"),
    }
    text.push_str("- End with a summary: what you changed and why, and what is left open.\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::work_orders::OrderRequest;
    use serde_json::json;

    fn order(value: Value) -> OrderContent {
        serde_json::from_value::<OrderRequest>(value).unwrap().into_new(None).unwrap().content
    }

    #[test]
    fn the_least_that_an_order_says() {
        insta::assert_snapshot!(prompt(&order(json!({"objective": "Refactor auth module"})), Beside::default()));
    }

    #[test]
    fn everything_that_an_order_can_say() {
        let order = order(json!({
            "objective": "Refactor auth module\nwithout a change of behaviour",
            "lines": [
                {"title": "Extract token checks", "definition_of_done": "`auth/token.rs` exists\nand has tests"},
                {"title": "Remove the old path", "status": "completed"},
                "Update the docs",
            ],
            "constraints": {"do_not_modify": ["migrations/"], "must_use": ["axum"]},
            "exploration_hints": {"start_here": ["src/auth.rs"], "reference": []},
            "verification": {"test_command": "cargo test auth", "expected_files_changed": ["src/auth/*"]},
        }));
        let known = ["Tokens are hashed\nwith SHA-256.".to_owned(), " ".to_owned()];
        let beside =
            Beside { id: Some(Uuid::from_u128(7)), system_prompt: Some("You refactor Rust.\n"), known: &known };
        insta::assert_snapshot!(prompt(&order, beside));
    }

    #[test]
    fn what_is_known_is_bounded() {
        let known = vec!["x".repeat(10_000); 3];
        let text = prompt(&order(json!({"objective": "o"})), Beside { known: &known, ..Beside::default() });
        assert_eq!(text.matches(&known[0]).count(), 1);
    }
}
