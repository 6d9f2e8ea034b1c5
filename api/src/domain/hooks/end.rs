//! What the end of an agent's session means for its work order: the definition of done is that of its lines.

use super::read::{Ended, How};
use crate::domain::work_orders::OrderStatus;
use crate::domain::work_orders::lines::{Line, open_titles};

/// How many times an agent is told what is left, before it is left to people.
pub const MAX_FOLLOWUPS: i32 = 5;
/// The longest list of what is left, in characters.
const MAX_CHARS: usize = 4_000;

/// What is known of the order.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// How it stands.
    pub status: OrderStatus,
    /// Whether a worker from here has it, who reports its end.
    pub is_held: bool,
    /// Its lines.
    pub lines: &'a [Line],
    /// How many times its agent was told what is left.
    pub followups: i32,
}

/// What the end of a session means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// Nothing beyond the entry of the log.
    Nothing,
    /// The agent is told what is left, and goes on.
    GoOn(String),
    /// The order is done.
    Done,
    /// The order failed, for this reason.
    Failed(String),
}

/// Decides what the end of a session means. The verdict over an order that a worker from here has is that worker's.
#[must_use]
pub fn means(ended: Ended, order: Known<'_>) -> Means {
    if order.status.has_ended() {
        return Means::Nothing;
    }
    let open = open_titles(order.lines);
    match ended.how {
        How::Stopped => Means::Nothing,
        How::Badly if order.is_held => Means::Nothing,
        How::Badly => Means::Failed("The agent's session ended with an error.".to_owned()),
        How::Well if open.is_empty() && order.is_held => Means::Nothing,
        How::Well if open.is_empty() => Means::Done,
        How::Well if !ended.can_go_on => Means::Nothing,
        How::Well if order.followups < MAX_FOLLOWUPS => Means::GoOn(what_is_left(&open)),
        How::Well if order.is_held => Means::Nothing,
        How::Well => Means::Failed(format!(
            "The agent stopped {} times with lines that are not done: {}.",
            order.followups + 1,
            listed(&open, ", ")
        )),
    }
}

/// The titles, one a line, without quotation marks: hooks of other makers cut the text at the first one.
fn what_is_left(open: &[&str]) -> String {
    let titles: Vec<String> = open.iter().map(|title| format!("- {title}")).collect();
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    format!(
        "These lines of the work order are not done:\n{}\nGo on with them. Set each line done once its definition of done holds.",
        listed(&titles, "\n")
    )
    .replace('"', "'")
}

fn listed(titles: &[&str], between: &str) -> String {
    titles.join(between).chars().take(MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::work_orders::lines::parse;
    use serde_json::json;

    fn ended(how: How) -> Ended {
        Ended { how, can_go_on: true }
    }

    fn known(lines: &[Line], is_held: bool, followups: i32) -> Known<'_> {
        Known { status: OrderStatus::Running, is_held, lines, followups }
    }

    #[test]
    fn an_agent_goes_on_while_lines_are_open_but_not_for_ever() {
        let lines = parse(json!(["Say \"hello\"", {"title": "Done", "status": "done"}])).unwrap();
        let Means::GoOn(text) = means(ended(How::Well), known(&lines, false, 0)) else { panic!("it goes on") };
        assert!(text.contains("- Say 'hello'\n") && !text.contains("- Done") && !text.contains('"'), "{text}");
        assert!(
            matches!(means(ended(How::Well), known(&lines, false, MAX_FOLLOWUPS)), Means::Failed(why) if why.contains("Say"))
        );
        assert_eq!(means(ended(How::Well), known(&lines, true, MAX_FOLLOWUPS)), Means::Nothing);
        let unheard = Ended { how: How::Well, can_go_on: false };
        assert_eq!(means(unheard, known(&lines, false, 0)), Means::Nothing);
    }

    #[test]
    fn an_order_ends_with_its_lines_unless_a_worker_has_it() {
        assert_eq!(means(ended(How::Well), known(&[], false, 0)), Means::Done);
        assert_eq!(means(ended(How::Well), known(&[], true, 0)), Means::Nothing);
        assert!(matches!(means(ended(How::Badly), known(&[], false, 0)), Means::Failed(_)));
        assert_eq!(means(ended(How::Badly), known(&[], true, 0)), Means::Nothing);
        assert_eq!(means(ended(How::Stopped), known(&[], false, 0)), Means::Nothing);
        let over = Known { status: OrderStatus::Cancelled, ..known(&[], false, 0) };
        assert_eq!(means(ended(How::Well), over), Means::Nothing);
    }
}
