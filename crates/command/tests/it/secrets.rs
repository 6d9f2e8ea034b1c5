//! Secrets of a project from a shell, with a real API.

use crate::api::Api;

const VALUE: &str = "hunter2-of-the-registry";

#[tokio::test]
async fn a_secret_is_set_from_standard_input_listed_and_removed() {
    let api = Api::start().await;
    api.project("Hello").await;
    let person = api.person();
    let none = person.run(&["secrets"]).await.with_code(0);
    assert!(none.out.is_empty() && none.err.contains("terarchitect secrets set NAME"), "{}", none.err);

    let set =
        person.run_with(&["secrets", "set", "NPM_TOKEN", "-p", "Hello"], &format!("{VALUE}\n")).await.with_code(0);
    assert!(set.err.contains("The secret NPM_TOKEN of Hello is set."), "{}", set.err);
    let marked = ["secrets", "set", "SHOWN", "--give-to-agent"];
    let marked = person.run_with(&marked, VALUE).await.with_code(0);
    assert!(marked.err.contains("the agent can read it"), "{}", marked.err);
    let list = person.run(&["secret", "list"]).await.with_code(0).out;
    assert!(list.starts_with("NPM_TOKEN\tcommands\t"), "{list}");
    assert!(list.contains("\nSHOWN\tcommands and agent\t"), "{list}");
    let json = person.run(&["secrets", "--json"]).await.with_code(0).json();
    assert_eq!((&json[0]["name"], &json[0]["given_to_agent"]), (&"NPM_TOKEN".into(), &false.into()));

    let removed = person.run(&["secrets", "remove", "NPM_TOKEN"]).await.with_code(0);
    assert!(removed.err.contains("The secret NPM_TOKEN of Hello is deleted."), "{}", removed.err);
    let again = person.run(&["secrets", "remove", "NPM_TOKEN"]).await.with_code(1);
    assert!(again.err.contains("There is no secret NPM_TOKEN"), "{}", again.err);
    for done in [&set, &marked, &removed, &again] {
        assert!(!format!("{}{}", done.out, done.err).contains("hunter2"), "{}", done.err);
    }
    assert!(!format!("{list}{json}").contains("hunter2"));
}

#[tokio::test]
async fn what_is_wrong_with_a_secret_is_said() {
    let api = Api::start().await;
    api.project("Hello").await;
    let person = api.person();
    let empty = person.run_with(&["secrets", "set", "NPM_TOKEN"], "\n").await.with_code(2);
    assert!(empty.err.contains("give the value on standard input"), "{}", empty.err);
    person.run_with(&["secrets", "set", "NPM_TOKEN", VALUE], VALUE).await.with_code(2);
    for (name, value, said) in [
        ("PATH", VALUE, "PATH means something to the runner"),
        ("npm token/../x", VALUE, "capital letters"),
        ("NPM_TOKEN", "hunter2", "at least 8 characters"),
    ] {
        let wrong = person.run_with(&["secrets", "set", name], value).await.with_code(1);
        assert!(wrong.err.contains(said) && !wrong.err.contains("hunter2"), "{}", wrong.err);
    }
}
