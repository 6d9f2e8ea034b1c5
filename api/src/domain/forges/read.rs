//! Reading JSON whose fields may be missing, null or of another type than the forge's manual says.

use super::Account;
use super::event::PullFacts;
use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

/// The longest text that is kept of one comment, in bytes.
pub const MAX_BODY_BYTES: usize = 128 * 1024;
/// The longest piece of a diff that is kept, in bytes.
const MAX_HUNK_BYTES: usize = 32 * 1024;
/// The longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 1024;

/// A text as Postgres can store it, cut at so many bytes.
#[must_use]
pub fn stored(text: &str, max_bytes: usize) -> String {
    let text = text.replace('\0', "");
    let mut end = text.len().min(max_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// A short text that is not empty, such as a name.
#[must_use]
pub fn name(value: &Value) -> Option<String> {
    value.as_str().map(|text| stored(text, MAX_NAME_BYTES)).filter(|text| !text.is_empty())
}

/// A long text; a missing one is empty.
#[must_use]
pub fn body(value: &Value) -> String {
    stored(value.as_str().unwrap_or_default(), MAX_BODY_BYTES)
}

/// A piece of a diff: its end, where the line is.
#[must_use]
pub fn hunk(value: &Value) -> Option<String> {
    value.as_str().and_then(end_of_hunk)
}

/// The end of a piece of a diff, where the line is.
#[must_use]
pub fn end_of_hunk(text: &str) -> Option<String> {
    let text = Some(text).filter(|text| !text.is_empty())?.replace('\0', "");
    let mut start = text.len().saturating_sub(MAX_HUNK_BYTES);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    Some(text[start..].to_owned())
}

/// An id: a positive number, or a short word.
#[must_use]
pub fn id(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => number.as_u64().filter(|number| *number > 0).map(|number| number.to_string()),
        value => name(value),
    }
}

/// A number of a pull request or issue.
#[must_use]
pub fn number(value: &Value) -> Option<i64> {
    value.as_i64().filter(|number| *number > 0)
}

/// A number of a line.
#[must_use]
pub fn line(value: &Value) -> Option<i32> {
    value.as_i64().filter(|line| *line > 0).and_then(|line| line.try_into().ok())
}

/// The id of a commit; all zeros is none.
#[must_use]
pub fn sha(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let is_id = (40..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_id && text.bytes().any(|byte| byte != b'0')).then(|| text.to_ascii_lowercase())
}

/// A time in either of the forms that forges use.
#[must_use]
pub fn time(value: &Value) -> Option<DateTime<Utc>> {
    instant(value.as_str()?)
}

/// A time in either of the forms that forges use.
#[must_use]
pub fn instant(text: &str) -> Option<DateTime<Utc>> {
    let rfc3339 = DateTime::parse_from_rfc3339(text).map(|time| time.with_timezone(&Utc));
    rfc3339.or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S UTC").map(|time| time.and_utc())).ok()
}

/// The branch of a ref such as `refs/heads/main`.
#[must_use]
pub fn branch(value: &Value) -> Option<String> {
    name(value)?.strip_prefix("refs/heads/").map(str::to_owned)
}

/// An account as GitHub and Gitea describe it.
#[must_use]
pub fn account(value: &Value) -> Option<Account> {
    let login = name(&value["login"]).or_else(|| name(&value["username"]))?;
    let is_bot = value["type"].as_str() == Some("Bot") || login.ends_with("[bot]");
    Some(Account { id: id(&value["id"]), login, is_bot })
}

/// A pull request as GitHub and Gitea describe it.
#[must_use]
pub fn pull(value: &Value) -> Option<PullFacts> {
    use super::PullState::{Closed, Merged, Open};
    let merged = value["merged"].as_bool() == Some(true) || value["merged_at"].is_string();
    let (head, base) = (&value["head"], &value["base"]);
    // A branch of a repository that was deleted is none of ours either.
    let same = id(&head["repo"]["id"]).is_some_and(|id_of_head| Some(id_of_head) == id(&base["repo"]["id"]));
    let title = value["title"].as_str().unwrap_or_default();
    let draft = value["draft"].as_bool().unwrap_or_else(|| title.to_uppercase().starts_with("WIP:"));
    Some(PullFacts {
        number: number(&value["number"])?,
        url: name(&value["html_url"]),
        state: match value["state"].as_str() {
            _ if merged => Merged,
            Some("closed") => Closed,
            _ => Open,
        },
        draft,
        head_branch: name(&head["ref"]),
        head_sha: sha(&head["sha"]),
        base: name(&base["ref"]),
        is_from_fork: !same,
        updated_at: time(&value["updated_at"]),
    })
}

/// The address of the repository as GitHub and Gitea describe it.
#[must_use]
pub fn repository(body: &Value) -> Option<String> {
    name(&body["repository"]["clone_url"]).or_else(|| name(&body["repository"]["html_url"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_what_it_should_be_is_missing() {
        assert_eq!(id(&json!(12)), Some("12".into()));
        assert_eq!(id(&json!("6a9c1750b37d513a43987b574953fceb50b03ce7")).map(|id| id.len()), Some(40));
        for value in [json!(null), json!(0), json!(-1), json!(""), json!([])] {
            assert_eq!(id(&value), None, "{value}");
        }
        assert_eq!(sha(&json!("0".repeat(40))), None);
        assert_eq!(sha(&json!("A".repeat(40))), Some("a".repeat(40)));
        assert_eq!(sha(&json!("main")), None);
        assert_eq!(time(&json!("2026-11-02T10:00:00Z")), time(&json!("2026-11-02 10:00:00 UTC")));
        assert_eq!(time(&json!("yesterday")), None);
        assert_eq!(stored("a\0bä", 3), "ab");
        assert_eq!(branch(&json!("refs/tags/v1")), None);
    }

    #[test]
    fn a_branch_of_a_fork_is_told_from_one_of_the_repository() {
        let pull_of = |head: Value| {
            pull(
                &json!({"number": 1, "state": "open", "head": {"ref": "b", "repo": head}, "base": {"repo": {"id": 1}}}),
            )
        };
        assert_eq!(pull_of(json!({"id": 1})).unwrap().as_ref().head_branch.as_deref(), Some("b"));
        for head in [json!({"id": 2}), json!(null)] {
            assert_eq!(pull_of(head).unwrap().as_ref().head_branch, None);
        }
    }
}
