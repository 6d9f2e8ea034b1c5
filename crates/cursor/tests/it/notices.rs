//! The webhook, as the cloud sends it.

use super::{client, launch};
use secrecy::SecretString;
use terarchitect_cursor::{Launch, Notice, Notify, Status, Version, derive_secret, is_genuine};
use terarchitect_testbed::cursor::{Cloud, End};
use terarchitect_testbed::forge::Sending;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Takes one request, and returns it as it came.
async fn take(listener: tokio::net::TcpListener) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let (mut request, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        request.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            break;
        }
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await.unwrap();
    request
}

#[tokio::test]
async fn what_the_cloud_sends_is_genuine_and_can_be_read() {
    let cloud = Cloud::start().await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v1/webhook/cursor", listener.local_addr().unwrap());
    let secret = derive_secret(&SecretString::from(cloud.key()));
    let asked = Launch { notify: Some(Notify { url, secret: secret.clone() }), ..launch() };
    let id = client(&cloud, Version::V0).launch(&asked).await.unwrap().agent.id;
    cloud.set_sending(Sending::Held);
    cloud.end(&id, &End::finished("Done.", None));
    let [delivery] = cloud.deliveries().try_into().unwrap();
    let (request, sent) = tokio::join!(take(listener), cloud.send(&delivery));
    assert_eq!(sent, (200, "{}".into()));
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap();
    assert_eq!((header("user-agent"), header("x-webhook-event")), ("Cursor-Agent-Webhook/1.0", "statusChange"));
    assert!(is_genuine(&secret, header("x-webhook-signature"), body.as_bytes()));
    assert!(!is_genuine(&derive_secret(&"another".into()), header("x-webhook-signature"), body.as_bytes()));
    let notice = Notice::read(body.as_bytes()).unwrap();
    assert_eq!((notice.agent, notice.status, notice.pull), (id, Some(Status::Finished), None));
    assert_eq!(notice.repository.as_deref(), Some("https://github.com/org/repo"));
}

#[tokio::test]
async fn an_agent_that_expires_says_nothing() {
    let cloud = Cloud::start().await.unwrap();
    let id = client(&cloud, Version::V0).launch(&launch()).await.unwrap().agent.id;
    cloud.end(&id, &End::expired());
    assert!(cloud.deliveries().is_empty());
}
