//! What the audit says in words, and as a table for other programs.

use crate::domain::live::event::EventKind;
use serde_json::Value;

/// Who did something, as the audit shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// `person`, `token`, `api-key`, `local` or `unknown`.
    pub kind: String,
    /// Which person or token.
    pub id: Option<String>,
    /// A name for people.
    pub name: String,
}

impl Who {
    /// Takes apart what is stored.
    #[must_use]
    pub fn of(actor: &str, name: Option<String>) -> Self {
        let (kind, id) = actor.split_once(':').map_or((actor, None), |(kind, id)| (kind, Some(id.to_owned())));
        let standing = match kind {
            "api-key" => "The application's key",
            "local" => "Someone on the API's machine",
            "unknown" => "Someone who was not signed in",
            "person" => "A person",
            "token" => "A token",
            other => other,
        };
        Self { kind: kind.to_owned(), id, name: name.unwrap_or_else(|| standing.to_owned()) }
    }
}

/// One sentence about what was done.
#[must_use]
pub fn sentence(who: &Who, kind: EventKind, data: &Value) -> String {
    let text = |key: &str| data[key].as_str().unwrap_or("?").to_owned();
    let list = |key: &str| {
        let items = data[key].as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
    };
    let did = match kind {
        EventKind::ProjectCreated => format!("created the project {}", text("name")),
        EventKind::ProjectChanged => format!("changed a project ({})", text("part")),
        EventKind::ProjectDeleted => "deleted a project".to_owned(),
        EventKind::TicketCreated => format!("created the ticket {}", text("title")),
        EventKind::TicketChanged => "changed a ticket".to_owned(),
        EventKind::TicketMoved => format!("moved a ticket to {}", text("column_id")),
        EventKind::TicketCompleted => "reported a ticket as completed".to_owned(),
        EventKind::TicketCancelRequested => "asked to stop a ticket's work".to_owned(),
        EventKind::TicketDeleted => "deleted a ticket".to_owned(),
        EventKind::JobEnqueued => "put a job into the queue".to_owned(),
        EventKind::JobCancelRequested => "asked to stop a running job".to_owned(),
        EventKind::JobCancelled => "cancelled a job".to_owned(),
        EventKind::CheckpointOpened => "opened a checkpoint".to_owned(),
        EventKind::CheckpointDecided => format!("decided about a checkpoint: {}", text("status")),
        EventKind::SettingsChanged => format!("changed settings: {}", list("names")),
        EventKind::MemoryChanged => "changed a project's memory".to_owned(),
        EventKind::CoordinatorDirected => {
            format!("told the coordinator {} to {}", text("worker_id"), text("directive"))
        }
        EventKind::CoordinatorForgotten => format!("removed the coordinator {}", text("worker_id")),
        EventKind::PersonCreated => format!("added {} as {}", text("email"), text("role")),
        EventKind::PersonChanged => format!("changed {}: {}", text("email"), list("changed")),
        EventKind::PersonDeleted => format!("removed {}", text("email")),
        EventKind::InvitationCreated => format!("invited {} as {}", invited(data), text("role")),
        EventKind::InvitationDeleted => "took back an invitation".to_owned(),
        EventKind::LinkCreated => format!("made a link for {}", text("email")),
        EventKind::TokenCreated => format!("made the token {} ({})", text("name"), text("scope")),
        EventKind::TokenRevoked => format!("revoked the token {}", text("name")),
        EventKind::SessionStarted => format!("signed in as {} from {}", text("email"), text("address")),
        EventKind::SessionEnded => format!("ended a session of {}", text("email")),
        EventKind::LoginApproved => format!("let {} at {} sign in", text("name"), text("address")),
        EventKind::LoginDenied => format!("did not let {} at {} sign in", text("name"), text("address")),
        EventKind::SignInFailed => format!("failed to sign in as {} from {}", text("email"), text("address")),
        EventKind::CredentialCreated => format!("stored the credential {} for {}", text("name"), text("host")),
        EventKind::CredentialDeleted => format!("deleted the credential {} for {}", text("name"), text("host")),
        EventKind::WebhookSecretCreated => format!("made a secret for webhooks of {}", text("sender")),
        EventKind::WebhookSecretDeleted => format!("deleted a secret for webhooks of {}", text("sender")),
        EventKind::SecretSet if data["given_to_agent"] == true => {
            format!("set the secret {} of a project, and gave it to the agent", text("name"))
        }
        EventKind::SecretSet => format!("set the secret {} of a project", text("name")),
        EventKind::SecretDeleted => format!("deleted the secret {} of a project", text("name")),
        EventKind::DeliveryReplayed => "asked to work on a forge's delivery once more".to_owned(),
        EventKind::PullRequestChanged => format!("changed pull request #{}", number(data)),
        EventKind::PullRequestCommented => format!("commented on pull request #{}", number(data)),
        EventKind::PullRequestApproved => format!("approved pull request #{}", number(data)),
        EventKind::PullRequestMerged => format!("merged pull request #{}", number(data)),
        kind => format!("did {}", kind.as_str()),
    };
    format!("{} {did}.", who.name)
}

fn number(data: &Value) -> String {
    data["pr_number"].as_i64().map_or_else(|| "?".to_owned(), |number| number.to_string())
}

fn invited(data: &Value) -> String {
    data["email"].as_str().map_or_else(|| "who has the link".to_owned(), str::to_owned)
}

/// A cell of a table in CSV. Programs that show tables take a cell that begins with one of these characters for a
/// formula, which could call out; a quote before it makes it text.
#[must_use]
pub fn csv_cell(text: &str) -> String {
    let dangerous = text.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
        || text.starts_with(['\t', '\r', '\n']);
    let guard = if dangerous { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_done_is_a_sentence() {
        let who = Who::of("person:1", Some("Ada".to_owned()));
        let said = sentence(&who, EventKind::TicketMoved, &json!({"column_id": "done"}));
        assert_eq!(said, "Ada moved a ticket to done.");
        let unknown = Who::of("unknown", None);
        let said = sentence(&unknown, EventKind::SignInFailed, &json!({"email": "a@b", "address": "::1"}));
        assert_eq!(said, "Someone who was not signed in failed to sign in as a@b from ::1.");
    }

    #[test]
    fn a_cell_is_never_a_formula() {
        assert_eq!(csv_cell("plain"), "\"plain\"");
        assert_eq!(csv_cell("say \"hi\""), "\"say \"\"hi\"\"\"");
        for formula in ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", " =1", "\u{ff1d}1"] {
            assert!(csv_cell(formula).starts_with("\"'"), "{formula}");
        }
    }
}
