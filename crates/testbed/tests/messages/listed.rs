//! Which files have messages that need a row, and which of their texts need none.

use crate::source::{Message, Use, VARIABLE};

/// Which texts of a file need a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Take {
    /// Texts of errors, and lines of the log that ask a person to act.
    Errors,
    /// Also every other text of at least so many words.
    Sentences(usize),
}

impl Take {
    /// Whether the text needs a row. One that consists of other texts alone needs none.
    pub(crate) fn needs(self, message: &Message) -> bool {
        let words = message.text.split(' ').filter(|word| word.chars().any(|c| c.is_alphabetic())).count();
        let is_bare = message.text.chars().all(|c| c == VARIABLE || !c.is_alphabetic());
        match (message.is, self) {
            _ if is_bare => false,
            (Use::Error | Use::Log, _) => true,
            (Use::Warning, _) | (Use::Other, Self::Errors) => false,
            (Use::Other, Self::Sentences(least)) => words >= least,
        }
    }
}

/// A program: the page has sections for it, whose headings begin with its name.
#[derive(Debug)]
pub(crate) struct Program {
    /// How headings name it.
    pub(crate) name: &'static str,
    /// Where its messages are.
    pub(crate) folders: &'static [&'static str],
    /// The files and folders whose messages need a row.
    pub(crate) files: &'static [(&'static str, Take)],
}

pub(crate) const PROGRAMS: &[Program] = &[
    Program {
        name: "The runner",
        folders: &["agent-runner/src", "crates/forge/src", "crates/outbound/src", "crates/worker-api/src"],
        files: &[
            ("agent-runner/src/agent", Take::Errors),
            ("agent-runner/src/agent/error.rs", Take::Sentences(4)),
            ("agent-runner/src/agent/opencode/boot.rs", Take::Sentences(4)),
            ("agent-runner/src/agent/opencode/server.rs", Take::Sentences(5)),
            ("agent-runner/src/attempt/conflicts.rs", Take::Sentences(4)),
            ("agent-runner/src/attempt/error.rs", Take::Sentences(4)),
            ("agent-runner/src/attempt/finish.rs", Take::Sentences(4)),
            ("agent-runner/src/attempt/hooks.rs", Take::Sentences(4)),
            ("agent-runner/src/attempt/mod.rs", Take::Sentences(5)),
            ("agent-runner/src/attempt/places.rs", Take::Sentences(4)),
            ("agent-runner/src/attempt/review.rs", Take::Sentences(4)),
            ("agent-runner/src/config.rs", Take::Sentences(4)),
            ("agent-runner/src/director/chat.rs", Take::Errors),
            ("agent-runner/src/director/error.rs", Take::Sentences(4)),
            ("agent-runner/src/git/commit.rs", Take::Sentences(4)),
            ("agent-runner/src/git/error.rs", Take::Sentences(4)),
            ("agent-runner/src/git/mod.rs", Take::Sentences(4)),
            ("agent-runner/src/git/not_filled.rs", Take::Sentences(4)),
            ("agent-runner/src/git/refusal.rs", Take::Sentences(8)),
            ("agent-runner/src/git/remote.rs", Take::Sentences(4)),
            ("agent-runner/src/git/shelf.rs", Take::Sentences(4)),
            ("agent-runner/src/git/skipped.rs", Take::Sentences(4)),
            ("agent-runner/src/git/update.rs", Take::Sentences(4)),
            ("agent-runner/src/main.rs", Take::Sentences(4)),
            ("agent-runner/src/probe", Take::Sentences(4)),
            ("agent-runner/src/proof", Take::Errors),
            ("agent-runner/src/review.rs", Take::Sentences(4)),
            ("agent-runner/src/stdin_secrets.rs", Take::Sentences(4)),
            ("crates/outbound/src/address.rs", Take::Errors),
            ("crates/worker-api/src/client", Take::Errors),
        ],
    },
    // Both the runner and the API say these.
    Program { name: "Forges", folders: &["crates/forge/src"], files: &[("crates/forge/src", Take::Sentences(4))] },
    Program { name: "Cursor", folders: &["crates/cursor/src"], files: &[("crates/cursor/src", Take::Errors)] },
    Program {
        name: "The API",
        folders: &["api/src"],
        files: &[
            ("api/src", Take::Errors),
            ("api/src/access/this_machine.rs", Take::Sentences(5)),
            ("api/src/backup", Take::Sentences(4)),
            ("api/src/actions/forges/review", Take::Sentences(8)),
            ("api/src/db/errors.rs", Take::Sentences(4)),
            ("api/src/domain/forges/standing.rs", Take::Sentences(8)),
            ("api/src/embedded_postgres/health.rs", Take::Sentences(6)),
            ("api/src/forges", Take::Sentences(8)),
            ("api/src/server.rs", Take::Sentences(4)),
            ("api/src/serving/mod.rs", Take::Sentences(4)),
        ],
    },
    Program {
        name: "The coordinator",
        folders: &["coordinator/src", "crates/worker-api/src"],
        files: &[
            ("coordinator/src", Take::Errors),
            ("coordinator/src/config.rs", Take::Sentences(4)),
            ("coordinator/src/docker_host.rs", Take::Sentences(4)),
            ("coordinator/src/doctor.rs", Take::Sentences(4)),
            ("coordinator/src/engine/connect.rs", Take::Sentences(4)),
            ("coordinator/src/engine/mod.rs", Take::Sentences(5)),
            ("coordinator/src/job/outcome.rs", Take::Sentences(5)),
            ("coordinator/src/readiness.rs", Take::Sentences(4)),
            ("coordinator/src/service/mod.rs", Take::Sentences(5)),
        ],
    },
];

/// Texts that need no row: where, which, and why. An exception that no message needs is a mistake.
pub(crate) const UNLISTED: &[(&str, &str, &str)] = &[
    ("agent-runner/src/agent", "the agent asked for an answer of a person: …", "never leaves a turn"),
    ("agent-runner/src/agent/error.rs", "the agent asked for an answer of a person: …", "never leaves a turn"),
    ("agent-runner/src/attempt/hooks.rs", "The agent asks for a permission: …", "a checkpoint's message"),
    ("agent-runner/src/attempt/finish.rs", "This is a draft: it is not done, …", "a pull request's text"),
    ("agent-runner/src/attempt/finish.rs", "This is a draft: it is not done. …, and …", "a pull request's text"),
    ("agent-runner/src/attempt/conflicts.rs", "The agent resolves conflicts with the base (turn …): …", IS_WELL),
    ("agent-runner/src/attempt/conflicts.rs", "The agent ended the turn", IS_WELL),
    ("agent-runner/src/attempt/finish.rs", "Nothing needed to change: …", IS_WELL),
    ("agent-runner/src/attempt/finish.rs", "The ticket is complete", IS_WELL),
    ("agent-runner/src/attempt/finish.rs", "The review is dealt with", IS_WELL),
    ("agent-runner/src/attempt/review.rs", "Working on what reviewers say about …", IS_WELL),
    ("agent-runner/src/attempt/review.rs", "Nothing was changed on the branch.", "a part of the reply"),
    ("agent-runner/src/attempt/review.rs", "The head of the branch is now …", "a part of the reply"),
    ("agent-runner/src/attempt/review.rs", "What was done about this is in the comment on …", "a part of the reply"),
    ("agent-runner/src/attempt/review.rs", "This file was changed in ….", "a part of the reply"),
    ("agent-runner/src/attempt/review.rs", "This file was not changed; the head of …", "a part of the reply"),
    ("agent-runner/src/attempt/review.rs", "The pull request is …", IS_WELL),
    ("agent-runner/src/attempt/hooks.rs", "Merge branch '…' into ticket-… The agent resolved …", "a commit's message"),
    ("agent-runner/src/attempt/hooks.rs", "…: merged … into the branch", IS_WELL),
    ("agent-runner/src/attempt/finish.rs", "An earlier attempt did the work; going on at what is missing", IS_WELL),
    ("agent-runner/src/attempt/mod.rs", "An earlier attempt did the work; going on at …", IS_WELL),
    ("agent-runner/src/attempt/mod.rs", "cloning, and starting the agent", IS_WELL),
    ("agent-runner/src/attempt/mod.rs", "No Director is configured (AGENT_LLM_URL, …", IS_WELL),
    ("agent-runner/src/git/commit.rs", "[… the rest of the change is left out …]", "for the Director"),
    ("agent-runner/src/git/remote.rs", "unpacking the sent packfile failed", "what libgit2 says"),
    ("agent-runner/src/git/remote.rs", "unknown remote object format", "what libgit2 says"),
    ("agent-runner/src/git/update.rs", "Merged what is new in … into the branch", IS_WELL),
    ("agent-runner/src/git/update.rs", "Rebased the branch onto what is new in …", IS_WELL),
    ("agent-runner/src/probe", "it redirects to …", "shown as `… redirects to …: set …`"),
    ("api/src/actions/forges/review", ", and asked the agent to work on it", "a part of a log entry"),
    ("api/src/backup", "Passphrase of the backup:", "a question"),
    ("api/src/backup", "The same once more:", "a question"),
    ("api/src/backup", "the secret key … is in …", IS_WELL),
    ("api/src/backup", "restored … rows, as of … (terarchitect-api …, Postgres …)", IS_WELL),
    ("api/src/backup", "… jobs that ran then are due again; …", IS_WELL),
    ("api/src/backup", "backup written: … rows of … tables", IS_WELL),
    ("api/src/backup", "no secret is stored, so no secret key is needed to restore it", IS_WELL),
    ("coordinator/src/doctor.rs", "ready: jobs can run here", IS_WELL),
    ("coordinator/src/doctor.rs", "within … s of the API's clock", IS_WELL),
    ("coordinator/src/doctor.rs", "a container can reach …", IS_WELL),
    ("coordinator/src/doctor.rs", "timeout 8 bash -c 'exec 3<>…", "a command"),
    ("crates/forge/src", "mutation($id: ID!, $head: GitObjectID!, …", "what GitHub is asked"),
    ("crates/forge/src", "query($owner: String!, $name: String!, …", "what GitHub is asked"),
    ("coordinator/src/engine/mod.rs", "no space left on device", "what engines say"),
];

const IS_WELL: &str = "nothing is wrong";
