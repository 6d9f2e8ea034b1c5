//! What scripts rely on: exit codes, plain lines, pipes that close.

use crate::api::{Api, KEY};
use crate::program::{Person, finish};
use serde_json::json;

#[tokio::test]
async fn no_api_is_3_and_no_key_is_4() {
    let person = Person::at("http://127.0.0.1:9", KEY);
    let done = person.run(&["projects"]).await.with_code(3);
    assert!(done.err.contains("no response from http://127.0.0.1:9/api/projects"), "{}", done.err);
    assert!(done.err.contains("terarchitect up"), "{}", done.err);
    let api = Api::start().await;
    let done = Person::at(&api.url, "wrong").run(&["projects"]).await.with_code(4);
    assert!(done.err.contains("terarchitect login"), "{}", done.err);
}

#[tokio::test]
async fn projects_are_found_by_name_or_id_or_because_there_is_only_one() {
    let api = Api::start().await;
    let person = api.person();
    let none = person.run(&["ticket", "list"]).await.with_code(1);
    assert!(none.err.contains("projects new NAME --repo URL"), "{}", none.err);
    let made = person.run(&["projects", "new", "Hello", "--repo", "https://forge.example/o/r"]).await.with_code(0);
    let id = made.out.trim();
    person.run(&["ticket", "new", "First"]).await.with_code(0);
    api.project("Other").await;
    let several = person.run(&["ticket", "list"]).await.with_code(2);
    assert!(several.err.contains("Hello, Other"), "{}", several.err);
    for project in ["hello", "HEL", &id[..18], id] {
        let list = person.run(&["ticket", "list", "--project", project]).await.with_code(0);
        assert!(list.out.contains("First"), "{project}");
    }
    let unknown = person.run(&["ticket", "list", "-p", "Nowhere"]).await.with_code(1);
    assert!(unknown.err.contains("there is no project 'Nowhere' that you can see"), "{}", unknown.err);
    let person = person.with("TERARCHITECT_PROJECT", "Other");
    assert_eq!(person.run(&["ticket", "list", "--json"]).await.with_code(0).json(), json!([]));
}

#[tokio::test]
async fn elsewhere_than_in_a_terminal_a_list_is_plain_lines() {
    let api = Api::start().await;
    let id = api.project("Hello").await;
    let person = api.person();
    let list = person.run(&["projects"]).await.with_code(0);
    assert_eq!(list.out, format!("{id}\tHello\thttps://forge.example/o/r\t\n"));
    let shown = person.run(&["projects", "show"]).await.with_code(0);
    let shown = shown.out.replace(&id, "ID");
    insta::assert_snapshot!(shown);
    let colored = person.run(&["--color", "always", "doctor"]).await;
    assert!(colored.out.contains("\u{1b}[32mok"), "{}", colored.out);
    assert!(!person.run(&["doctor"]).await.out.contains('\u{1b}'));
}

#[tokio::test]
async fn a_closed_output_ends_the_command_quietly() {
    let api = Api::start().await;
    api.project("Hello").await;
    let person = api.person();
    for arguments in [&["projects"][..], &["projects", "--json"], &["completion", "bash"], &["doctor"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done = finish(person.command(arguments).stdout(writer).spawn().unwrap()).await;
        assert_eq!((done.code, done.err.as_str()), (Some(141), ""), "{arguments:?}");
    }
}

#[tokio::test]
async fn doctor_says_what_is_missing_and_what_to_do() {
    let api = Api::start().await;
    api.project("Hello").await;
    let done = api.person().run(&["doctor", "--json"]).await.with_code(1);
    let report = done.json();
    assert_eq!(report["ready"], false);
    let checks = report["checks"].as_array().unwrap();
    let ok = |name: &str| checks.iter().find(|check| check["check"] == name).unwrap()["ok"].clone();
    assert_eq!((ok("address"), ok("database"), ok("key")), (json!(true), json!(true), json!(true)));
    assert_eq!((ok("settings"), ok("coordinators")), (json!(false), json!(false)));
    for check in checks.iter().filter(|check| check["ok"] == false) {
        assert!(check["fix"].is_string(), "{check}");
    }
    Person::at("http://127.0.0.1:9", KEY).run(&["doctor"]).await.with_code(3);
    Person::at(&api.url, "wrong").run(&["doctor"]).await.with_code(4);
}
