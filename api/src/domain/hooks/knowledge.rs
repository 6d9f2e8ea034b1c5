//! What is known: checked, told apart, and put into words for an agent.

use crate::domain::refusal::Refusal;
use crate::domain::work_orders::OrderContent;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use terarchitect_worker_api::TicketId;

/// The most that one project knows.
pub const MAX_KNOWN: i64 = 10_000;
/// The longest text, in bytes.
const MAX_BYTES: usize = 8 * 1024;
/// The longest text for an agent, in bytes.
const MAX_FORMATTED_BYTES: usize = 16 * 1024;

/// Checks what was learnt. Returns it trimmed.
///
/// # Errors
/// When it is empty or too long.
pub fn checked(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Refusal::invalid("'text' is required: what was learnt, in a sentence or two."));
    }
    if text.len() > MAX_BYTES {
        return Err(Refusal::invalid(format!("'text' is larger than {} KiB.", MAX_BYTES / 1024)));
    }
    Ok(text.to_owned())
}

/// How many results to return.
#[must_use]
pub fn how_many(wanted: Option<i64>) -> i64 {
    wanted.unwrap_or(5).clamp(1, 50)
}

/// The same for texts that say the same in other spaces and cases.
#[must_use]
pub fn digest(text: &str) -> Vec<u8> {
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    Sha256::digest(plain.trim_end_matches('.')).to_vec()
}

/// What an agent should know, as a text: its order, and what is known about it.
#[must_use]
pub fn formatted(order: Option<(TicketId, &OrderContent)>, known: &[&str]) -> String {
    let mut text = String::new();
    if let Some((id, order)) = order {
        let _ = writeln!(text, "Work order {id}: {}", order.objective);
        let open: Vec<_> = order.lines.iter().filter(|line| line.is_open()).collect();
        if !open.is_empty() {
            text.push_str("\nLines that are not done:\n");
        }
        for line in &open {
            let _ = writeln!(text, "- {} (line {})", line.title, line.id);
            if !line.definition_of_done.is_empty() {
                let _ = writeln!(text, "  Done when: {}", line.definition_of_done.replace('\n', "\n  "));
            }
        }
        if !open.is_empty() {
            let _ = writeln!(
                text,
                "\nSet a line done once that holds: curl -sS -X POST -H \"Authorization: Bearer $CHYTR_API_KEY\" \
                 \"$CHYTR_URL/api/v1/work-orders/{id}/lines/LINE\""
            );
        }
    }
    let mut heading =
        if text.is_empty() { "What earlier work has shown:\n" } else { "\nWhat earlier work has shown:\n" };
    for one in known.iter().map(|one| one.trim()).filter(|one| !one.is_empty()) {
        if text.len() + one.len() > MAX_FORMATTED_BYTES {
            break;
        }
        let _ = writeln!(text, "{heading}- {}", one.replace('\n', "\n  "));
        heading = "";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_in_other_spaces_and_cases_is_the_same() {
        assert_eq!(digest("Use  axum\nhere."), digest("use axum here"));
        assert_ne!(digest("use axum here"), digest("use hyper here"));
        assert!(checked(" ").is_err() && checked(&"x".repeat(MAX_BYTES + 1)).is_err());
    }

    #[test]
    fn what_is_known_is_a_list_and_bounded() {
        assert_eq!(formatted(None, &["One\ntwo", " "]), "What earlier work has shown:\n- One\n  two\n");
        assert_eq!(formatted(None, &[]), "");
        let long = "x".repeat(9_000);
        assert_eq!(formatted(None, &[&long, &long]).matches(&long).count(), 1);
    }
}
