//! What else is asked and done, and how it fails.

use super::{PATIENCE, VERSIONS, answer, client, launch, on};
use std::time::Duration;
use terarchitect_cursor::{Cursor, CursorError, Speaker, Status, Version};
use terarchitect_testbed::cursor::{Cloud, End};
use terarchitect_testbed::forge::{Answer, Trouble};

#[tokio::test]
async fn an_agent_is_followed_to_its_end() {
    for version in VERSIONS {
        let cloud = Cloud::start().await.unwrap();
        let client = client(&cloud, version);
        let id = client.launch(&launch()).await.unwrap().agent.id;
        cloud.run(&id);
        assert_eq!(client.agent(&id).await.unwrap().status, Status::Running);
        let pull = "https://github.com/org/repo/pull/42";
        cloud.end(&id, &End::finished("Refactored.", Some(pull)));
        let agent = client.agent(&id).await.unwrap();
        assert_eq!((agent.status, agent.pull.as_deref()), (Status::Finished, Some(pull)));
        assert_eq!(agent.summary.as_deref(), Some("Refactored."));
        assert_eq!(agent.branch.as_ref(), Some(&cloud.agents()[0].branch));
    }
}

#[tokio::test]
async fn a_follow_up_is_said_once_and_is_in_the_conversation() {
    for version in VERSIONS {
        for trouble in [None, Some(Trouble::Lost), Some(Trouble::Answer(Answer::BAD_GATEWAY))] {
            let cloud = Cloud::start().await.unwrap();
            let client = client(&cloud, version);
            let id = client.launch(&launch()).await.unwrap().agent.id;
            cloud.end(&id, &End::finished("One.", None));
            let ends = if version == Version::V0 { "/followup" } else { "/runs" };
            trouble.into_iter().for_each(|what| cloud.trouble(on("POST", ends, 1, what)));
            client.follow_up(&id, "Add a test.").await.unwrap();
            cloud.end(&id, &End::finished("Two.", None));
            let prompts: Vec<String> = cloud.agents()[0].runs.iter().map(|run| run.prompt.clone()).collect();
            assert_eq!(prompts, [launch().prompt, "Add a test.".into()], "{version}: {trouble:?}");
            assert_eq!(client.prompts(&id).await.unwrap(), 2);
            let conversation = client.conversation(&id).await.unwrap();
            let said = conversation.iter().filter(|message| message.from == Speaker::Assistant);
            assert_eq!(said.map(|message| message.text.as_str()).collect::<Vec<_>>(), ["One.", "Two."]);
        }
    }
}

#[tokio::test]
async fn an_agent_at_work_takes_no_run() {
    let cloud = Cloud::start().await.unwrap();
    let client = client(&cloud, Version::V1);
    let id = client.launch(&launch()).await.unwrap().agent.id;
    let error = client.follow_up(&id, "More.").await.unwrap_err();
    assert!(matches!(error, CursorError::Busy { .. }) && error.may_pass(), "{error}");
}

#[tokio::test]
async fn stopping_ends_the_work_and_is_well_when_it_has_ended() {
    for version in VERSIONS {
        let cloud = Cloud::start().await.unwrap();
        let client = client(&cloud, version);
        let id = client.launch(&launch()).await.unwrap().agent.id;
        client.stop(&id).await.unwrap();
        assert!(client.agent(&id).await.unwrap().status.is_over());
        client.stop(&id).await.unwrap();
        client.delete(&id).await.unwrap();
        let gone = client.agent(&id).await.unwrap_err();
        assert_eq!(gone.to_string(), "Cursor does not find the agent: it was deleted, or belongs to another account");
    }
}

#[tokio::test]
async fn the_key_is_shown_as_documented_and_a_wrong_one_is_refused() {
    for version in VERSIONS {
        let cloud = Cloud::start().await.unwrap();
        assert_eq!(client(&cloud, version).me().await.unwrap().key_name, "testbed");
        assert!(client(&cloud, version).models().await.unwrap().contains(&"composer-2".to_owned()));
        let api = cloud.api_url().parse().unwrap();
        let wrong = Cursor::new(api, "key_of_another_account".into(), version, PATIENCE).unwrap();
        let denied = wrong.me().await.unwrap_err().to_string();
        assert!(denied.starts_with("Cursor denied access (Invalid API key): check CURSOR_API_KEY"), "{denied}");
    }
}

#[tokio::test]
async fn a_limit_is_waited_for_as_far_as_patience_goes() {
    for version in VERSIONS {
        let cloud = Cloud::start().await.unwrap();
        let client = client(&cloud, version);
        cloud.trouble(on("GET", "/me", 1, Trouble::Answer(Answer::TOO_MANY)));
        client.me().await.unwrap();
        assert_eq!(client.repositories().await.unwrap(), ["https://github.com/org/repo"]);
        let limited = client.repositories().await.unwrap_err();
        assert_eq!(limited.retry_after(), Some(Duration::from_secs(60)));
        assert!(limited.may_pass());
        // A limited launch has launched nothing.
        cloud.trouble(on("POST", "/agents", 1, Trouble::Answer(answer(429, &[("retry-after", "90")], "{}"))));
        let limited = client.launch(&launch()).await.unwrap_err();
        assert_eq!(limited.retry_after(), Some(Duration::from_secs(90)));
        assert!(cloud.agents().is_empty());
    }
}

#[tokio::test]
async fn a_failure_that_passes_is_retried_and_one_that_stays_is_told() {
    let cloud = Cloud::start().await.unwrap();
    let client = client(&cloud, Version::V0);
    cloud.trouble(on("GET", "/me", 2, Trouble::Answer(Answer::BAD_GATEWAY)));
    client.me().await.unwrap();
    cloud.trouble(on("GET", "/me", 100, Trouble::Answer(Answer::PAGE)));
    let error = client.me().await.unwrap_err();
    assert!(error.may_pass(), "{error}");
    assert!(error.to_string().contains("its response is not JSON"), "{error}");
}
