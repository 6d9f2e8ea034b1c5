//! What Cursor's agents are told besides the prompt, and how they are shown. Pure.

use terarchitect_cursor::{Message, Speaker};

/// The longest answer that is kept, in bytes.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// The prompt, with what is different where the agent works: its changes reach the runner as commits alone.
pub(super) fn with_place(prompt: &str, branch: &str) -> String {
    format!(
        "{prompt}\n\n## Where you work\n\nYou work on a machine of your own, where the program that gives you these prompts can't \
         see your files. So what is said above about commits is different for you: before your turn ends, commit all changes \
         that belong to the ticket, and push them to the branch {branch}; what is not pushed then is lost. Push to no other \
         branch, do not rewrite commits that are pushed, and do not open a pull request. Where a phase changes no files, there \
         is nothing to commit."
    )
}

/// A prompt that is said again to an agent that may have begun with it.
pub(super) fn again(prompt: &str) -> String {
    format!(
        "Your last turn was interrupted. Check what you have already done and pushed, then continue with this:\n\n{prompt}"
    )
}

/// What the agent said since it was last told something.
pub(super) fn answer(conversation: &[Message]) -> String {
    let since = conversation.rsplit(|message| message.from == Speaker::User).next().unwrap_or_default();
    let said: Vec<&str> = since.iter().map(|message| message.text.trim()).filter(|text| !text.is_empty()).collect();
    let mut text = said.join("\n\n");
    if text.len() > MAX_ANSWER_BYTES {
        // The end says what came of it.
        text = text[text.ceil_char_boundary(text.len() - MAX_ANSWER_BYTES)..].to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(from: Speaker, text: &str) -> Message {
        Message { id: String::new(), from, text: text.to_owned() }
    }

    #[test]
    fn the_answer_is_what_was_said_since_the_last_prompt() {
        let mut conversation = vec![said(Speaker::User, "Plan."), said(Speaker::Assistant, "A plan.")];
        assert_eq!(answer(&conversation), "A plan.");
        conversation.extend([
            said(Speaker::User, "Go on."),
            said(Speaker::Assistant, "I look."),
            said(Speaker::Assistant, "Done. "),
        ]);
        assert_eq!(answer(&conversation), "I look.\n\nDone.");
        conversation.push(said(Speaker::User, "More."));
        assert_eq!(answer(&conversation), "");
        conversation.push(said(Speaker::Assistant, &"ü".repeat(MAX_ANSWER_BYTES)));
        assert_eq!(answer(&conversation).len(), MAX_ANSWER_BYTES);
    }
}
