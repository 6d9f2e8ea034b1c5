//! What a remote means when it does not accept a push: a decision about texts, without IO.

/// The most of a remote's words that is kept, in characters.
const MAX_SAID_CHARS: usize = 1_200;

/// What a refused push means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same push may be accepted in a moment.
    Passing,
    /// The branch has commits that this attempt does not have.
    Moved,
    /// It will be refused again until a person changes something; what that is.
    Final(&'static str),
}

const WORKFLOWS: &str = "Give the token the permission to change workflow files (`workflow` scope, or Workflows: write), \
                         or make the change to .github/workflows by hand";
const TOO_LARGE: &str = "Keep large and generated files out of the repository (.gitignore, or Git LFS), or raise the \
                         remote's limit";
const PROTECTED: &str =
    "Let the token's user push to branches named ticket-…, or change the repository's rules for them";
const SECRET: &str = "Take the secret out of the change, or allow it at the remote, and start the ticket again";
const RULES: &str = "Change the repository's rules, or say in the ticket or in AGENTS.md what they ask for, and start \
                     the ticket again";
const HOOK: &str = "Do what the repository's hook asks for, or change the hook, and start the ticket again";
const READ_ONLY: &str = "The repository accepts no pushes; make it writable, and start the ticket again";
const SHALLOW: &str = "Set receive.shallowUpdate at the remote, and start the ticket again";
const QUOTA: &str = "Make room at the remote, and start the ticket again";
const NAME_TAKEN: &str = "Delete or rename the branch at the remote that is in the way, and start the ticket again";
const OTHER: &str = "Change what the remote refuses, and start the ticket again";

/// What GitLab's own hook says when the rest of GitLab does not respond.
const GITLAB_IS_DOWN: &str = "internal api unreachable";

/// Words of remotes in lower case and what they mean, the most telling first. From git's own sources and from public
/// reports about GitHub, GitLab, Gitea, Bitbucket and Azure DevOps.
const TABLE: &[(&str, Verdict)] = &[
    // A branch can't have another's name as a directory, so no later try succeeds either.
    ("; cannot create 'refs/heads/", Verdict::Final(NAME_TAKEN)),
    // Another push holds the lock, or was there first: the next try sees what is there now.
    ("cannot lock ref", Verdict::Passing),
    ("failed to lock", Verdict::Passing),
    ("unable to create temporary file", Verdict::Passing),
    ("internal server error", Verdict::Passing),
    (GITLAB_IS_DOWN, Verdict::Passing),
    ("failed to update ref", Verdict::Passing),
    ("incorrect old value provided", Verdict::Passing),
    ("timed out", Verdict::Passing),
    ("try again later", Verdict::Passing),
    ("temporarily unavailable", Verdict::Passing),
    ("maintenance", Verdict::Passing),
    // Real ones.
    ("without `workflow` scope", Verdict::Final(WORKFLOWS)),
    ("without `workflows` permission", Verdict::Final(WORKFLOWS)),
    ("push cannot contain secrets", Verdict::Final(SECRET)),
    ("push protection", Verdict::Final(SECRET)),
    ("secret detected", Verdict::Final(SECRET)),
    ("gh001", Verdict::Final(TOO_LARGE)),
    ("exceeds github's file size limit", Verdict::Final(TOO_LARGE)),
    ("exceeds maximum allowed size", Verdict::Final(TOO_LARGE)),
    ("larger than the allowed size", Verdict::Final(TOO_LARGE)),
    ("file size limit", Verdict::Final(TOO_LARGE)),
    ("maximum pack size", Verdict::Final(TOO_LARGE)),
    ("http status 413", Verdict::Final(TOO_LARGE)),
    ("tf402462", Verdict::Final(TOO_LARGE)),
    ("size quota", Verdict::Final(QUOTA)),
    ("exceeded the size limit", Verdict::Final(QUOTA)),
    ("no space left", Verdict::Final(QUOTA)),
    ("quota exceeded", Verdict::Final(QUOTA)),
    ("gh006", Verdict::Final(PROTECTED)),
    ("protected branch", Verdict::Final(PROTECTED)),
    ("not allowed to push code", Verdict::Final(PROTECTED)),
    ("not allowed to push to", Verdict::Final(PROTECTED)),
    ("tf402455", Verdict::Final(PROTECTED)),
    ("gh013", Verdict::Final(RULES)),
    ("repository rule violations", Verdict::Final(RULES)),
    ("does not follow the pattern", Verdict::Final(RULES)),
    ("push rule", Verdict::Final(RULES)),
    ("archived", Verdict::Final(READ_ONLY)),
    ("read-only", Verdict::Final(READ_ONLY)),
    ("read only", Verdict::Final(READ_ONLY)),
    ("shallow update not allowed", Verdict::Final(SHALLOW)),
    ("hook declined", Verdict::Final(HOOK)),
    // The branch itself.
    ("non-fast-forward", Verdict::Moved),
    ("fetch first", Verdict::Moved),
    ("stale info", Verdict::Moved),
    ("contains commits that are not present locally", Verdict::Moved),
];

/// What the remote said: `status` for the branch, and the messages beside it.
pub(super) fn judge(status: &str, messages: &str) -> Verdict {
    let (status, messages) = (status.to_lowercase(), messages.to_lowercase());
    // A hook prints what it likes, and "try again later" may be what it prints for every push; so what it declined is final.
    let declined = status.contains("hook declined") || status.contains("rule violations");
    let fits = |words: &str, verdict: Verdict| {
        let counts = !declined || matches!(verdict, Verdict::Final(_)) || words == GITLAB_IS_DOWN;
        counts && (status.contains(words) || (verdict != Verdict::Moved && messages.contains(words)))
    };
    TABLE.iter().find(|(words, verdict)| fits(words, *verdict)).map_or(Verdict::Final(OTHER), |(_, verdict)| *verdict)
}

/// The remote's words for a person: printable, in one line, without the prefix of each line, bounded.
pub(super) fn readable(status: &str, messages: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    // A carriage return alone overwrites the line, as progress does; its last text is what stays.
    for line in messages.replace("\r\n", "\n").split('\n').map(|line| line.trim_end_matches('\r')) {
        let line = without_colours(line.rsplit('\r').next().unwrap_or_default());
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = line.trim_start_matches("remote: ").to_owned();
        let progress = ["Resolving deltas", "Processed ", "Checking connectivity", "Unpacking objects"];
        let decorates = line.chars().all(|c| !c.is_alphanumeric());
        if !decorates && !progress.iter().any(|word| line.starts_with(word)) {
            lines.push(line);
        }
    }
    let mut said = lines.join("; ");
    let status: String = status.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if said.is_empty() {
        said = status;
    } else if !status.is_empty() && !said.contains(&status) {
        said = format!("{said} ({status})");
    }
    match said.char_indices().nth(MAX_SAID_CHARS) {
        Some((end, _)) => format!("{} […]", &said[..end]),
        None => said,
    }
}

/// The text without the escape sequences of a terminal.
fn without_colours(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            text.push(c);
        } else if chars.next() == Some('[') {
            for end in chars.by_ref() {
                if end.is_ascii_alphabetic() {
                    break;
                }
            }
        }
    }
    text
}

/// The HTTP status in a message of libgit2, which has it nowhere else.
pub(super) fn http_status(message: &str) -> Option<u16> {
    message.split_once("unexpected http status code: ")?.1.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_refusals_are_told_apart() {
        for (status, messages, verdict) in [
            ("pre-receive hook declined", "no ticket number in the message", Verdict::Final(HOOK)),
            ("hook declined", "", Verdict::Final(HOOK)),
            ("hook declined", "busy people: try again later", Verdict::Final(HOOK)),
            (
                "protected branch hook declined",
                "error: GH006: Protected branch update failed for refs/heads/ticket-1.\nerror: At least 1 approving \
                 review is required",
                Verdict::Final(PROTECTED),
            ),
            (
                "push declined due to repository rule violations",
                "error: GH013: Repository rule violations found for refs/heads/ticket-1.\n- Commits must have verified \
                 signatures.",
                Verdict::Final(RULES),
            ),
            (
                "push declined due to repository rule violations",
                "error: GH013: Repository rule violations found\n- GITHUB PUSH PROTECTION\n- Push cannot contain secrets",
                Verdict::Final(SECRET),
            ),
            (
                "push declined due to repository rule violations",
                "error: GH013\n- refusing to allow a GitHub App to create or update workflow `.github/workflows/build.yml` \
                 without `workflows` permission",
                Verdict::Final(WORKFLOWS),
            ),
            (
                "refusing to allow an OAuth App to create or update workflow `.github/workflows/main.yml` without \
                 `workflow` scope",
                "",
                Verdict::Final(WORKFLOWS),
            ),
            (
                "refusing to allow a Personal Access Token to create or update workflow `.github/workflows/ci.yml` \
                 without `workflow` scope",
                "",
                Verdict::Final(WORKFLOWS),
            ),
            (
                "pre-receive hook declined",
                "error: GH001: Large files detected. You may want to try Git Large File Storage\nerror: File a is 123.00 \
                 MB; this exceeds GitHub's file size limit of 100.00 MB",
                Verdict::Final(TOO_LARGE),
            ),
            (
                "pre-receive hook declined",
                "GitLab: You are not allowed to push code to protected branches on this project.",
                Verdict::Final(PROTECTED),
            ),
            (
                "pre-receive hook declined",
                "GitLab: Commit message does not follow the pattern '^[A-Z]+-[0-9]+'",
                Verdict::Final(RULES),
            ),
            ("unpacker error", "fatal: pack exceeds maximum allowed size (10 MiB)", Verdict::Final(TOO_LARGE)),
            ("HTTP status 413", "", Verdict::Final(TOO_LARGE)),
            ("unpacker error", "fatal: write error: No space left on device", Verdict::Final(QUOTA)),
            ("shallow update not allowed", "", Verdict::Final(SHALLOW)),
            ("cannot lock ref 'refs/heads/ticket-1': is at a but expected b", "", Verdict::Passing),
            ("failed to update ref", "", Verdict::Passing),
            ("pre-receive hook declined", "GitLab: Internal API unreachable", Verdict::Passing),
            ("non-fast-forward", "", Verdict::Moved),
            ("fetch first", "", Verdict::Moved),
            ("stale info", "", Verdict::Moved),
            ("prohibited for an unknown reason", "", Verdict::Final(OTHER)),
        ] {
            assert_eq!(judge(status, messages), verdict, "{status} | {messages}");
        }
    }

    #[test]
    fn words_of_a_remote_are_one_readable_line() {
        let messages = "Resolving deltas: 10%\rResolving deltas: 100%\r\nremote: \u{1b}[31mno\u{1b}[0m \u{7}tickets\r\n\n=====\nsee the wiki";
        assert_eq!(readable("hook declined", messages), "no tickets; see the wiki (hook declined)");
        assert_eq!(readable("fetch first", ""), "fetch first");
        assert!(readable("", &"é".repeat(9_000)).chars().count() < MAX_SAID_CHARS + 10);
    }

    #[test]
    fn a_status_is_read_from_libgit2() {
        assert_eq!(http_status("unexpected http status code: 503"), Some(503));
        assert_eq!(http_status("failed to resolve address for 403.example"), None);
    }
}
