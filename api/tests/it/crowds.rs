//! More connections than there is room for: every other client is still served.

use crate::program::{Api, command, data_dir};
use reqwest::{Client, StatusCode};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::Duration;
use terarchitect_testbed::postgres::TestPostgres;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::Command;

/// As many files as many systems allow by default.
const FILES: u64 = 1024;
/// What remains of them for connections of one peer, beside the API's own files.
const SHARE: usize = 624;
const CROWD: usize = 1_100;

/// The program, which may open [`FILES`] files at most, and half of that before it asks for more.
fn with_few_files(data_dir: &Path, database: &str) -> Command {
    let program = command(data_dir);
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", &format!("ulimit -Sn {} && ulimit -Hn {FILES} && exec \"$0\"", FILES / 2)]);
    shell.arg(program.as_std().get_program()).env_clear();
    shell.envs(program.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env("DATABASE_URL", TestPostgres::shared().url(database)).process_group(0);
    shell.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    let mut shell = Command::from(shell);
    shell.kill_on_drop(true);
    shell
}

/// A client with this address of the machine, which makes a connection for each request.
fn client(last: u8) -> Client {
    let address = IpAddr::from(Ipv4Addr::new(127, 0, 0, last));
    Client::builder().local_address(address).pool_max_idle_per_host(0).timeout(Duration::from_secs(60)).build().unwrap()
}

async fn status(client: &Client, base: &str, path: &str) -> StatusCode {
    client.get(format!("{base}{path}")).send().await.unwrap().status()
}

#[tokio::test]
async fn a_crowd_of_one_peer_shuts_nobody_out() {
    let own = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: own.maximum, maximum: own.maximum }).unwrap();
    let (postgres, dir) = (TestPostgres::shared(), data_dir());
    let database = postgres.create_database(None).unwrap();
    let api = Api::from(with_few_files(dir.path(), &database)).await;
    let (same, other) = (client(1), client(2));
    let address = api.base.strip_prefix("http://").unwrap();

    // Connections that do nothing give way to others, also of the same peer.
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(TcpStream::connect(address).await.unwrap());
    }
    for client in [&same, &other] {
        for path in ["/health", "/api/projects"] {
            assert_eq!(status(client, &api.base, path).await, 200, "{path}");
        }
    }

    // Connections with a request stay. Their peer has no more of them than its share, but it still gets /health.
    drop(crowd);
    let body = r#"{"wait_ms": 25000}"#;
    let length = body.len();
    let claim = format!(
        "POST /api/worker/jobs/start HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It may have been told to leave already.
        let _ = stream.write_all(claim.as_bytes()).await;
        crowd.push(stream);
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let text = other.get(format!("{}/metrics", api.base)).send().await.unwrap().text().await.unwrap();
        let waiting = text.lines().find_map(|line| line.strip_prefix("terarchitect_waiting_claims ")).unwrap();
        if waiting.parse::<usize>().unwrap() >= SHARE {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{waiting} claims wait");
    }
    assert_eq!(status(&same, &api.base, "/health").await, 200);
    assert_eq!(status(&same, &api.base, "/api/projects").await, 429);
    assert_eq!(status(&other, &api.base, "/health").await, 200);
    assert_eq!(status(&other, &api.base, "/api/projects").await, 200);

    // When the crowd has gone, its peer is served again.
    drop(crowd);
    while status(&same, &api.base, "/api/projects").await != 200 {
        assert!(tokio::time::Instant::now() < deadline, "the peer is not served again");
    }
    drop(api);
    postgres.drop_database(&database).unwrap();
}
