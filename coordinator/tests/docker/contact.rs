//! An engine behind a proxy that stops passing anything on, one that is reached over TLS, and one whose networks are
//! pruned.

use crate::daemon::{Daemon, finish_meanwhile};
use crate::{Engine, ScriptImage, base_image, finish, job, world};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use terarchitect_coordinator::attempt::Attempt;
use terarchitect_coordinator::docker_host::{Certificates, DockerHost};
use terarchitect_coordinator::engine::{Docker, EngineError, NotReached};
use terarchitect_coordinator::readiness::Readiness;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// A proxy in front of the machine's engine. While it is held, it accepts connections and passes nothing on.
struct Proxy {
    engine: Engine,
    flow: watch::Sender<bool>,
    _dir: tempfile::TempDir,
}

impl Proxy {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let (flow, flows) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let engine = UnixStream::connect("/var/run/docker.sock").await.unwrap();
                let ((from_client, to_client), (from_engine, to_engine)) = (client.into_split(), engine.into_split());
                tokio::spawn(pass_on(from_client, to_engine, flows.clone()));
                tokio::spawn(pass_on(from_engine, to_client, flows.clone()));
            }
        });
        Self { engine: Engine { host: Some(format!("unix://{}", path.display())) }, flow, _dir: dir }
    }
}

async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut flows: watch::Receiver<bool>) {
    let mut buffer = vec![0; 8192];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if flows.wait_for(|flows| *flows).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_hangs_before_the_engine_costs_no_job_and_claims_none() {
    let Some(base) = base_image() else { return };
    let proxy = Proxy::start();
    let script = "trap 'echo done; exit 0' TERM; while :; do sleep 0.1; done";
    let image = ScriptImage::new(&Engine::default(), &base, script);
    let world = world(&proxy.engine, &image.name, &["--engine-timeout-sec", "1"]).await;
    let (job, mut readiness) = (job(), Readiness::default());
    assert!(readiness.may_claim(&world.shared).await);
    let handle = tokio::runtime::Handle::current();
    let report = finish_meanwhile(&world, &Engine::default(), &job, || {
        proxy.flow.send_replace(false);
        assert!(!handle.block_on(readiness.may_claim(&world.shared)), "nothing is claimed");
        let connected = handle.block_on(Docker::connect(world.shared.config.container.clone()));
        let silent = matches!(connected, Err(EngineError::NotReached(NotReached::Silent { .. })));
        assert!(silent, "another start says so");
        // The container ends unseen.
        let name = Attempt::of(&job).container_name();
        for arguments in [vec!["kill", "-s", "TERM", &name], vec!["wait", &name]] {
            let done = Engine::default().docker().args(arguments).stdout(Stdio::null()).status().unwrap();
            assert!(done.success());
        }
        proxy.flow.send_replace(true);
    })
    .await;
    assert_eq!(report["reason"], "completed", "{report}");
    assert!(readiness.may_claim(&world.shared).await, "it claims again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_was_pruned_is_created_again() {
    let Some(base) = base_image() else { return };
    let daemon = Daemon::start(None);
    daemon.load(&base);
    let image = ScriptImage::new(&daemon.engine, &base, "true");
    let world = world(&daemon.engine, &image.name, &["--min-free-mb", "0"]).await;
    for _ in 0..2 {
        let pruned = daemon.engine.docker().args(["network", "rm", "terarchitect-agents"]).output().unwrap();
        assert!(pruned.status.success(), "{}", String::from_utf8_lossy(&pruned.stderr));
        let report = finish(&world, &job()).await;
        assert_eq!(report["reason"], "completed", "{report}");
    }
}

/// Certificates for an engine at 127.0.0.1 and a client, of an authority of the test's own.
fn make_certificates(folder: &Path) {
    let script = r#"set -e
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority -keyout ca-key.pem -out ca.pem
for name in server client; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" -keyout $name-key.pem -out $name.csr
    printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' >$name.ext
    openssl x509 -req -days 2 -in $name.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -extfile $name.ext -out $name-cert.pem
done
cp client-cert.pem cert.pem
cp client-key.pem key.pem"#;
    let made = Command::new("sh").args(["-c", script]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_is_reached_over_tls_and_without_it_the_error_says_what_to_set() {
    let Some(base) = base_image() else { return };
    let certificates = tempfile::tempdir().unwrap();
    make_certificates(certificates.path());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("tcp://{}", listener.local_addr().unwrap());
    let daemon = Daemon::with_tls(listener, certificates.path());
    daemon.load(&base);
    let image = ScriptImage::new(&daemon.engine, &base, "cat");
    let folder = certificates.path().to_str().unwrap();
    let options = ["--docker-host", &host, "--docker-tls-verify", "1", "--docker-cert-path", folder];
    let options = [&options[..], &["--network", "none", "--min-free-mb", "0"]].concat();
    let mut world = world(&Engine::default(), &image.name, &options).await;
    world.engine = daemon.engine.clone();
    // The job has its secrets over an attached standard input, which is a connection of another kind.
    let report = finish(&world, &job()).await;
    assert_eq!(report["reason"], "completed", "{report}");

    let mut config = world.shared.config.container.clone();
    let refused =
        |config| async { Docker::connect(config).await.err().map(|error| terarchitect_outbound::chain(&error)) };
    let stranger = tempfile::tempdir().unwrap();
    make_certificates(stranger.path());
    let DockerHost::Network { address, .. } = config.docker_host else { panic!("it is an address") };
    let with = |folder: &Path| DockerHost::Network {
        address: address.clone(),
        tls: Some(Certificates { folder: folder.to_owned() }),
    };
    config.docker_host = with(stranger.path());
    let said = refused(config.clone()).await.unwrap();
    assert!(said.contains(&format!("check the certificates in {}", stranger.path().display())), "{said}");
    std::fs::copy(certificates.path().join("ca.pem"), stranger.path().join("ca.pem")).unwrap();
    config.docker_host = with(stranger.path());
    let said = refused(config.clone()).await.unwrap();
    assert!(said.contains("could not set up TLS with the Docker engine"), "{said}");
    config.docker_host = DockerHost::Network { address, tls: None };
    let said = refused(config).await.unwrap();
    assert!(said.contains("needs TLS; set DOCKER_TLS_VERIFY=1"), "{said}");
}
