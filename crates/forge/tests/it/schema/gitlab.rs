//! GitLab's answers against the fields and statuses that its manual has: no package has a schema of it.

use serde_json::Value;
use terarchitect_testbed::forge::Exchange;

const USER: &[&str] = &["id", "username", "name", "state", "web_url"];
const REQUEST: &[&str] = &[
    "id",
    "iid",
    "project_id",
    "title",
    "description",
    "state",
    "created_at",
    "updated_at",
    "target_branch",
    "source_branch",
    "author",
    "source_project_id",
    "target_project_id",
    "labels",
    "draft",
    "merge_status",
    "detailed_merge_status",
    "sha",
    "merge_commit_sha",
    "squash_commit_sha",
    "squash",
    "web_url",
    "has_conflicts",
];
const NOTE: &[&str] = &[
    "id",
    "type",
    "body",
    "author",
    "created_at",
    "updated_at",
    "system",
    "noteable_id",
    "noteable_type",
    "resolvable",
];
const DISCUSSION: &[&str] = &["id", "individual_note", "notes"];
const STATUS: &[&str] = &["id", "sha", "ref", "status", "name", "target_url", "description", "allow_failure", "author"];
const HOOK: &[&str] = &[
    "id",
    "url",
    "project_id",
    "push_events",
    "merge_requests_events",
    "note_events",
    "pipeline_events",
    "job_events",
    "issues_events",
    "enable_ssl_verification",
];
const ISSUE: &[&str] = &["id", "iid", "project_id", "title", "description", "state", "labels", "author", "web_url"];

/// The calls: method, what the path ends with (`*` is one part), statuses of success and of refusal, fields.
type Known = (&'static str, &'static str, &'static [u16], &'static [u16], &'static [&'static str]);

const CALLS: &[Known] = &[
    ("GET", "version", &[200], &[401], &["version", "revision"]),
    ("GET", "user", &[200], &[401], USER),
    ("GET", "users", &[200], &[401], USER),
    (
        "GET",
        "projects/*",
        &[200],
        &[401, 404],
        &[
            "id",
            "path_with_namespace",
            "default_branch",
            "visibility",
            "permissions",
            "merge_method",
            "http_url_to_repo",
        ],
    ),
    ("GET", "members/all/*", &[200], &[404], &["id", "username", "access_level"]),
    ("GET", "merge_requests", &[200], &[401], REQUEST),
    ("POST", "merge_requests", &[201], &[400, 409, 422], REQUEST),
    ("GET", "merge_requests/*", &[200], &[404], REQUEST),
    ("PUT", "merge_requests/*", &[200], &[400, 404], REQUEST),
    ("PUT", "merge_requests/*/merge", &[200], &[401, 405, 409, 422], REQUEST),
    ("PUT", "merge_requests/*/rebase", &[202], &[403, 409], &["rebase_in_progress"]),
    ("GET", "merge_requests/*/diffs", &[200], &[404], &["old_path", "new_path", "diff", "new_file", "deleted_file"]),
    ("DELETE", "repository/branches/*", &[204], &[403, 404], &[]),
    ("GET", "merge_requests/*/approvals", &[200], &[404], &["approved", "approved_by"]),
    ("GET", "merge_requests/*/reviewers", &[200], &[404], &["user", "state", "created_at"]),
    ("POST", "merge_requests/*/approve", &[201], &[401, 409], &["approved_by"]),
    ("GET", "merge_requests/*/discussions", &[200], &[404], DISCUSSION),
    ("GET", "merge_requests/*/discussions/*", &[200], &[404], DISCUSSION),
    ("POST", "merge_requests/*/discussions/*/notes", &[201], &[400, 404], NOTE),
    ("GET", "merge_requests/*/notes", &[200], &[404], NOTE),
    ("POST", "merge_requests/*/notes", &[201], &[400, 404], NOTE),
    ("GET", "issues/*/notes", &[200], &[404], NOTE),
    ("POST", "issues/*/notes", &[201], &[400, 404], NOTE),
    ("POST", "award_emoji", &[201], &[404], &["id", "name", "user", "awardable_id", "awardable_type"]),
    ("GET", "issues", &[200], &[], ISSUE),
    ("GET", "issues/*", &[200], &[404], ISSUE),
    ("GET", "repository/commits/*/statuses", &[200], &[404], STATUS),
    ("POST", "statuses/*", &[201], &[400, 404], STATUS),
    ("GET", "jobs/*/trace", &[200], &[404], &[]),
    ("GET", "hooks", &[200], &[403], HOOK),
    ("POST", "hooks", &[201], &[400, 403], HOOK),
    ("PUT", "hooks/*", &[200], &[400, 403, 404], HOOK),
];

pub(super) fn odd(exchange: &Exchange) -> Vec<String> {
    let Exchange { method, path, status, body } = exchange;
    let what = format!("{method} {path} {status}");
    let parts: Vec<&str> = path.split('/').collect();
    let ends = |form: &str| {
        let form: Vec<&str> = form.split('/').collect();
        parts.len() >= form.len()
            && parts.iter().rev().zip(form.iter().rev()).all(|(part, word)| *word == "*" || part == word)
    };
    let fits = CALLS.iter().filter(|(of, form, ..)| *of == method.as_str() && ends(form));
    let Some((_, _, taken, refused, fields)) = fits.max_by_key(|(_, form, ..)| form.len()) else {
        return vec![format!("{what}: there is no such call")];
    };
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    if refused.contains(status) {
        let says = !json["message"].is_null() || json["error"].is_string();
        return if says { Vec::new() } else { vec![format!("{what}: a refusal without a word: {body}")] };
    }
    if !taken.contains(status) {
        return vec![format!("{what}: no such status: {body}")];
    }
    let items = json.as_array().map_or_else(|| vec![&json], |items| items.iter().collect());
    let missing = |item: &Value, of: &[&str]| -> Vec<String> {
        of.iter().filter(|name| item.get(**name).is_none()).map(|name| format!("{what}: {name} is missing")).collect()
    };
    let mut odd: Vec<String> = items.iter().flat_map(|item| missing(item, fields)).collect();
    for note in items.iter().flat_map(|item| item["notes"].as_array().into_iter().flatten()) {
        odd.extend(missing(note, NOTE));
        if note["type"] == "DiffNote" {
            odd.extend(missing(
                &note["position"],
                &["base_sha", "head_sha", "new_path", "old_path", "new_line", "old_line"],
            ));
        }
    }
    for item in items.iter().filter(|item| item["author"].is_object()) {
        odd.extend(missing(&item["author"], USER));
    }
    odd
}
