//! Writes whose response is lost: each happens once.

use crate::forge;
use crate::stub::{Stub, json, lost, text};
use serde_json::{Value, json as v};
use terarchitect_forge::{Forge, ForgeError, Kind, Side, Thread, marked};

/// The dialects: the API's path, the owner, a pull request's comments, and how a comment looks.
struct Dialect {
    kind: Kind,
    api: &'static str,
    comments: &'static str,
    user: fn(i64, &str) -> Value,
    author: &'static str,
}

const DIALECTS: [Dialect; 3] = [
    Dialect {
        kind: Kind::GitHub,
        api: "/api/v3",
        comments: "/api/v3/repos/o/r/issues/7/comments",
        user: |id, name| v!({"id": id, "login": name, "type": "User"}),
        author: "user",
    },
    Dialect {
        kind: Kind::GitLab,
        api: "/api/v4",
        comments: "/api/v4/projects/o%2Fr/merge_requests/7/notes",
        user: |id, name| v!({"id": id, "username": name}),
        author: "author",
    },
    Dialect {
        kind: Kind::Gitea,
        api: "/api/v1",
        comments: "/api/v1/repos/o/r/issues/7/comments",
        user: |id, name| v!({"id": id, "login": name}),
        author: "user",
    },
];

impl Dialect {
    fn comment(&self, id: i64, user: Value, body: &str) -> Value {
        let mut comment = v!({"id": id, "body": body, "created_at": "2026-11-29T05:00:00Z", "system": false});
        comment[self.author] = user;
        comment
    }

    async fn stub(&self) -> (Stub, Box<dyn Forge>) {
        let stub = Stub::start().await;
        let forge = forge(&stub, self.kind, self.api, "o");
        stub.on(&format!("GET {}/user", self.api), [json(200, (self.user)(5, "bot"))]);
        (stub, forge)
    }
}

#[tokio::test]
async fn a_comment_whose_response_is_lost_is_found_by_its_marker() {
    for dialect in &DIALECTS {
        for broken in [lost(), text(502, "<html>Bad gateway</html>")] {
            let (stub, forge) = dialect.stub().await;
            let body = marked("Done.", "done:7");
            let there = dialect.comment(31, (dialect.user)(5, "bot"), &body.replace('\n', "\r\n"));
            let (get, post) = (format!("GET {}", dialect.comments), format!("POST {}", dialect.comments));
            stub.on(&get, [json(200, v!([])), json(200, v!([there]))]).on(&post, [broken]);
            let comment = forge.comment(7, &body).await.unwrap();
            assert_eq!((comment.id.as_str(), comment.author.id.as_str()), ("31", "5"));
            assert_eq!(stub.body(&post)["body"], body);
        }
    }
}

#[tokio::test]
async fn a_comment_that_did_not_happen_is_repeated() {
    for dialect in &DIALECTS {
        let (stub, forge) = dialect.stub().await;
        let body = marked("Done.", "done:7");
        let (get, post) = (format!("GET {}", dialect.comments), format!("POST {}", dialect.comments));
        let there = dialect.comment(31, (dialect.user)(5, "bot"), &body);
        stub.on(&get, [json(200, v!([]))]).on(&post, [lost(), json(201, there)]);
        assert_eq!(forge.comment(7, &body).await.unwrap().id, "31");
        assert_eq!(stub.seen(&post).len(), 2);
    }
}

#[tokio::test]
async fn a_comment_of_before_a_crash_is_not_posted_again_and_a_strangers_copy_does_not_count() {
    for dialect in &DIALECTS {
        let (stub, forge) = dialect.stub().await;
        let body = marked("Done.", "done:7");
        let (get, post) = (format!("GET {}", dialect.comments), format!("POST {}", dialect.comments));
        let strangers = dialect.comment(30, (dialect.user)(6, "bot"), &body);
        let own = dialect.comment(31, (dialect.user)(5, "bot"), &body);
        stub.on(&get, [json(200, v!([strangers])), json(200, v!([strangers, own]))])
            .on(&post, [json(201, own.clone())]);
        assert_eq!(forge.comment(7, &body).await.unwrap().id, "31");
        assert_eq!(stub.seen(&post).len(), 1, "the stranger's copy is not ours");
        assert_eq!(forge.comment(7, &body).await.unwrap().id, "31");
        assert_eq!(stub.seen(&post).len(), 1, "ours is found");
    }
}

#[tokio::test]
async fn a_text_without_a_marker_is_not_sent_twice() {
    for dialect in &DIALECTS {
        let (stub, forge) = dialect.stub().await;
        let post = format!("POST {}", dialect.comments);
        stub.on(&post, [lost()]);
        let error = forge.comment(7, "Done.").await.unwrap_err();
        assert!(matches!(error, ForgeError::Unavailable { .. }), "{error}");
        assert_eq!(stub.seen(&post).len(), 1);
    }
}

#[tokio::test]
async fn a_reply_whose_response_is_lost_is_found_in_its_thread() {
    let body = marked("Fixed in abc.", "reply:9");
    let thread = |id: &str| Thread {
        id: id.into(),
        path: "a.rs".into(),
        line: Some(3),
        side: Side::New,
        hunk: None,
        resolved: None,
        comments: Vec::new(),
        review: Some("4".into()),
    };
    let at_line = |dialect: &Dialect, id: i64, body: &str| {
        let mut comment = dialect.comment(id, (dialect.user)(5, "bot"), body);
        comment["path"] = v!("a.rs");
        comment["position"] = v!(3);
        comment
    };
    let [github, gitlab, gitea] = &DIALECTS;
    for (dialect, list, none, some, post) in [
        (
            github,
            "/api/v3/repos/o/r/pulls/7/comments",
            v!([]),
            v!([at_line(github, 32, &body)]),
            "/api/v3/repos/o/r/pulls/7/comments/9/replies",
        ),
        (
            gitlab,
            "/api/v4/projects/o%2Fr/merge_requests/7/discussions/9",
            v!({"notes": []}),
            v!({"notes": [at_line(gitlab, 32, &body)]}),
            "/api/v4/projects/o%2Fr/merge_requests/7/discussions/9/notes",
        ),
        (
            gitea,
            "/api/v1/repos/o/r/pulls/7/reviews/4/comments",
            v!([]),
            v!([at_line(gitea, 32, &body)]),
            "/api/v1/repos/o/r/pulls/7/comments/9/replies",
        ),
    ] {
        let (stub, forge) = dialect.stub().await;
        stub.on(
            "GET /api/v1/repos/o/r/pulls/7/reviews",
            [json(200, v!([{"id": 4, "state": "COMMENT", "comments_count": 1}]))],
        );
        stub.on(&format!("GET {list}"), [json(200, none), json(200, some)]);
        let post = format!("POST {post}");
        stub.on(&post, [lost()]);
        assert_eq!(forge.reply(7, &thread("9"), &body).await.unwrap().id, "32");
        assert_eq!(stub.seen(&post).len(), 1, "{:?}", dialect.kind);
    }
}

#[tokio::test]
async fn a_merge_whose_response_is_lost_counts_as_merged_with_the_head_that_was_seen_alone() {
    let pull = |state: &str, sha: &str| {
        v!({
            "number": 7, "iid": 7, "html_url": "u", "web_url": "u", "state": state, "merged": state == "merged", "sha": sha,
            "head": {"ref": "b", "sha": sha}, "base": {"ref": "main"}, "merge_commit_sha": "m1",
        })
    };
    for (dialect, at, merge) in [
        (&DIALECTS[0], "/api/v3/repos/o/r/pulls/7", "PUT /api/v3/repos/o/r/pulls/7/merge"),
        (&DIALECTS[1], "/api/v4/projects/o%2Fr/merge_requests/7", "PUT /api/v4/projects/o%2Fr/merge_requests/7/merge"),
        (&DIALECTS[2], "/api/v1/repos/o/r/pulls/7", "POST /api/v1/repos/o/r/pulls/7/merge"),
    ] {
        let (stub, forge) = dialect.stub().await;
        stub.on(&format!("GET {at}"), [json(200, pull("open", "h1")), json(200, pull("merged", "h1"))])
            .on(merge, [lost()]);
        let merged = forge.merge(7, terarchitect_forge::Method::Merge, "h1").await.unwrap();
        assert_eq!(merged.sha.as_deref(), Some("m1"));
        assert_eq!(stub.seen(merge).len(), 1);

        let (stub, forge) = dialect.stub().await;
        stub.on(&format!("GET {at}"), [json(200, pull("merged", "h2"))])
            .on(merge, [json(409, v!({"message": "head out of date"}))]);
        let error = forge.merge(7, terarchitect_forge::Method::Merge, "h1").await.unwrap_err();
        assert!(matches!(error, ForgeError::Conflict { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_approval_whose_response_is_lost_is_found() {
    for (dialect, list, post, none, some) in [
        (
            &DIALECTS[0],
            "/api/v3/repos/o/r/pulls/7/reviews",
            "/api/v3/repos/o/r/pulls/7/reviews",
            v!([]),
            v!([{"id": 1, "user": {"id": 5, "login": "bot"}, "state": "APPROVED", "commit_id": "h1"}]),
        ),
        (
            &DIALECTS[1],
            "/api/v4/projects/o%2Fr/merge_requests/7/approvals",
            "/api/v4/projects/o%2Fr/merge_requests/7/approve",
            v!({"approved_by": []}),
            v!({"approved_by": [{"user": {"id": 5, "username": "bot"}}]}),
        ),
        (
            &DIALECTS[2],
            "/api/v1/repos/o/r/pulls/7/reviews",
            "/api/v1/repos/o/r/pulls/7/reviews",
            v!([]),
            v!([{"id": 1, "user": {"id": 5, "login": "bot"}, "state": "APPROVED", "commit_id": "h1"}]),
        ),
    ] {
        let (stub, forge) = dialect.stub().await;
        let pull = v!({"iid": 7, "web_url": "u", "state": "opened", "sha": "h1"});
        stub.on("GET /api/v4/projects/o%2Fr/merge_requests/7", [json(200, pull)]);
        stub.on(&format!("GET {list}"), [json(200, none), json(200, some)]);
        let post = format!("POST {post}");
        stub.on(&post, [lost()]);
        forge.approve(7, "", "h1").await.unwrap();
        assert_eq!(stub.seen(&post).len(), 1, "{:?}", dialect.kind);
    }
}
