//! A launch happens once, whatever becomes of its response.

use super::{VERSIONS, answer, client, launch, on};
use terarchitect_cursor::{CursorError, Launch, Status, Version};
use terarchitect_testbed::cursor::{Cloud, End};
use terarchitect_testbed::forge::{Answer, Trouble};

#[tokio::test]
async fn an_agent_is_launched_with_what_was_asked_for() {
    for version in VERSIONS {
        let cloud = Cloud::start().await.unwrap();
        let asked = Launch { model: Some("composer-2".into()), ..launch() };
        let launched = client(&cloud, version).launch(&asked).await.unwrap();
        assert!(!launched.found);
        assert_eq!(launched.agent.status, Status::Creating);
        let [agent] = cloud.agents().try_into().unwrap();
        assert_eq!(agent.id, launched.agent.id);
        assert_eq!(agent.latest().prompt, asked.prompt);
        assert_eq!((agent.repository.as_str(), agent.start.as_deref()), (asked.repository.as_str(), Some("main")));
        assert_eq!((agent.model.as_deref(), agent.opens_pull), (Some("composer-2"), true));
        match version {
            Version::V0 => {
                assert_eq!(agent.branch, asked.branch);
                assert_eq!(agent.webhook.as_deref(), Some("http://127.0.0.1:9/hook"));
                assert_eq!(agent.webhook_secret, Some("s".repeat(32)));
            }
            Version::V1 => assert_eq!(agent.id, asked.agent_id()),
        }
    }
}

#[tokio::test]
async fn the_same_launch_once_more_finds_its_agent() {
    for version in VERSIONS {
        let cloud = Cloud::start().await.unwrap();
        let (client, asked) = (client(&cloud, version), launch());
        assert_eq!(client.find(&asked).await.unwrap(), None);
        let first = client.launch(&asked).await.unwrap();
        let again = client.launch(&asked).await.unwrap();
        assert!(again.found && again.agent.id == first.agent.id);
        assert_eq!(client.find(&asked).await.unwrap().unwrap().id, first.agent.id);
        client.launch(&launch()).await.unwrap();
        assert_eq!(cloud.agents().len(), 2, "another launch is another agent");
    }
}

#[tokio::test]
async fn a_launch_whose_response_is_lost_is_found() {
    for version in VERSIONS {
        for trouble in [Trouble::Lost, Trouble::DoneBut(Answer::BAD_GATEWAY), Trouble::DoneBut(Answer::PAGE)] {
            let cloud = Cloud::start().await.unwrap();
            cloud.trouble(on("POST", "/agents", 1, trouble));
            let launched = client(&cloud, version).launch(&launch()).await.unwrap();
            let [agent] = cloud.agents().try_into().unwrap();
            assert!(launched.found && launched.agent.id == agent.id, "{version}: {trouble:?}");
        }
    }
}

#[tokio::test]
async fn a_launch_that_was_not_done_is_repeated() {
    for version in VERSIONS {
        let cloud = Cloud::start().await.unwrap();
        cloud.trouble(on("POST", "/agents", 2, Trouble::Answer(Answer::BAD_GATEWAY)));
        let launched = client(&cloud, version).launch(&launch()).await.unwrap();
        assert!(!launched.found);
        assert_eq!(cloud.agents().len(), 1);
    }
}

#[tokio::test]
async fn an_agent_on_a_late_page_is_found_and_one_of_another_repository_is_not() {
    let cloud = Cloud::start().await.unwrap();
    let (client, asked) = (client(&cloud, Version::V0), launch());
    let elsewhere = Launch { repository: "https://github.com/org/other".into(), ..asked.clone() };
    let other = client.launch(&elsewhere).await.unwrap();
    let first = client.launch(&asked).await.unwrap();
    assert_ne!(first.agent.id, other.agent.id);
    for _ in 0..120 {
        client.launch(&launch()).await.unwrap();
    }
    assert_eq!(client.launch(&asked).await.unwrap().agent.id, first.agent.id);
}

#[tokio::test]
async fn a_refused_launch_says_why_and_launches_nothing() {
    for version in VERSIONS {
        let cloud = Cloud::start().await.unwrap();
        let error = client(&cloud, version).launch(&Launch { prompt: " ".into(), ..launch() }).await.unwrap_err();
        assert_eq!(error.to_string(), "Cursor did not accept the launch: prompt.text is required");
        assert!(!error.may_pass() && cloud.agents().is_empty());
        cloud.trouble(on("POST", "/agents", 1, Trouble::Answer(answer(403, &[], r#"{"error": "no plan"}"#))));
        let denied = client(&cloud, version).launch(&launch()).await.unwrap_err();
        assert!(matches!(denied, CursorError::Denied { .. }), "{denied}");
    }
}

#[tokio::test]
async fn v1_can_work_on_the_branch_that_it_starts_from() {
    let cloud = Cloud::start().await.unwrap();
    let asked = Launch { start: "ticket-7".into(), on_start: true, ..launch() };
    let client = client(&cloud, Version::V1);
    let id = client.launch(&asked).await.unwrap().agent.id;
    cloud.end(&id, &End::finished("Done.", None));
    assert_eq!(client.agent(&id).await.unwrap().branch.as_deref(), Some("ticket-7"));
}
