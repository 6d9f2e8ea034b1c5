//! The proxies that a container gets, and what the engine shows of them.

use crate::{Engine, ScriptImage, base_image, finish, job, world};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use terarchitect_coordinator::attempt::Attempt;
use tokio::net::TcpListener;

/// Listens where containers can reach it, and counts connections.
async fn listen() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = calls.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            seen.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, calls)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_of_this_machine_is_reached_by_its_name_and_its_password_is_not_shown() {
    let Some(base) = base_image() else { return };
    let (port, calls) = listen().await;
    let script = "read line; echo \"$line\"; env; timeout 8 bash -c \"exec 3<>/dev/tcp/host.docker.internal/${http_proxy##*:}\" && sleep 1";
    let image = ScriptImage::new(&Engine::default(), &base, script);
    let (secret, plain) = (format!("http://ann:pass-word@127.0.0.1:{port}"), format!("localhost:{port}"));
    let options = ["--https-proxy", &secret, "--http-proxy", &plain, "--no-proxy", "intranet.example"];
    let world = world(&Engine::default(), &image.name, &options).await;
    let job = job();
    let name = Attempt::of(&job).container_name();
    let mut started = Engine::default().container_starts(&name);
    let inspecting = tokio::task::spawn_blocking(move || {
        started.wait_for_one();
        Engine::default().docker().args(["inspect", &name]).output().unwrap()
    });
    let report = finish(&world, &job).await;
    assert_eq!(report["reason"], "completed", "{report}");
    assert!(calls.load(Ordering::SeqCst) > 0, "the container reached it");

    let inspected = String::from_utf8(inspecting.await.unwrap().stdout).unwrap();
    assert!(!inspected.contains("pass-word"), "inspect shows the password: {inspected}");
    let inside = format!("host.docker.internal:{port}");
    for variable in ["HTTP_PROXY", "http_proxy"] {
        assert!(inspected.contains(&format!("{variable}=http://{inside}")), "{inspected}");
    }
    assert!(inspected.contains("no_proxy=intranet.example,localhost,127.0.0.1,::1,host.docker.internal"));
    let tail = report["log_tail"].as_str().unwrap();
    assert!(tail.contains(&format!("\"https_proxy\":\"http://[secret]@{inside}\"")), "{tail}");
}

/// What `doctor` says with these variables.
fn doctor(image: &str, variables: &[(&str, &str)]) -> String {
    let state = tempfile::tempdir().unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_terarchitect-coordinator"))
        .arg("doctor")
        .env_clear()
        .env("HOME", state.path())
        .env("TERARCHITECT_API_URL", "http://127.0.0.1:9")
        .env("COORDINATOR_STATE_DIR", state.path())
        .env("AGENT_IMAGE", image)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    String::from_utf8(ran.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_says_which_agents_are_in_the_image() {
    let Some(base) = base_image() else { return };
    let engine = Engine::default();
    let image = ScriptImage::with(&engine, &base, "LABEL io.terarchitect.agents=opencode,claude");
    let silent = ScriptImage::new(&engine, &base, "true");
    tokio::task::block_in_place(|| {
        let good = doctor(&image.name, &[("WORKER_MODE", "Claude")]);
        assert!(good.contains(&format!("ok    agents: {} has opencode, claude", image.name)), "{good}");
        let bad = doctor(&image.name, &[("WORKER_MODE", "codex")]);
        let sentence = format!("FAIL  agents: WORKER_MODE is codex, and {} has opencode, claude; build it", image.name);
        assert!(bad.contains(&sentence) && bad.contains("--agents opencode,claude,codex"), "{bad}");
        for there in ["cursor", "opencode-acp", "command"] {
            let good = doctor(&image.name, &[("WORKER_MODE", there)]);
            assert!(good.contains("ok    agents: "), "{good}");
        }
        assert!(doctor(&silent.name, &[]).contains("warn  agents: "), "it has no label");
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_says_whether_containers_reach_their_proxies() {
    let Some(base) = base_image() else { return };
    let (port, _) = listen().await;
    let on_loopback = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hidden = format!("http://ann:pass-word@{}", on_loopback.local_addr().unwrap());
    let open = format!("http://127.0.0.1:{port}");
    let image = ScriptImage::new(&Engine::default(), &base, "true");
    let name = image.name.clone();
    let said = move |variables: &[(&str, &str)]| doctor(&name, variables);
    tokio::task::block_in_place(|| {
        let warned = said(&[("HTTPS_PROXY", &open)]);
        assert!(warned.contains(&format!("warn  proxy: HTTPS_PROXY is on this machine's loopback, which would be the container's own; containers get host.docker.internal:{port} instead")), "{warned}");
        let failed = said(&[("HTTPS_PROXY", &hidden), ("ALL_PROXY", "socks5://127.0.0.1:1")]);
        assert!(
            failed.contains("FAIL  proxy: HTTPS_PROXY is on this machine's loopback, and a container can't"),
            "{failed}"
        );
        assert!(failed.contains("warn  proxy: ALL_PROXY is not the address of an HTTP proxy"), "{failed}");
        assert!(!failed.contains("pass-word"), "{failed}");
        let none = said(&[("HTTPS_PROXY", &hidden), ("AGENT_HTTPS_PROXY", "")]);
        assert!(!none.contains("proxy:"), "{none}");
    });
}
