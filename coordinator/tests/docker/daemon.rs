//! Faults of the engine itself, on one of the test's own: restarted, killed, silent, on a full disk.

use crate::{Engine, ScriptImage, World, base_image, finish, job, world, world_in};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use terarchitect_coordinator::attempt::Attempt;
use terarchitect_coordinator::engine::EngineError;
use terarchitect_coordinator::readiness::Readiness;
use terarchitect_testbed::small_disk::SmallDisk;
use terarchitect_worker_api::Job;
use uuid::Uuid;

/// A Docker engine of the test's own, with its data below `root`. It has no network: nothing of the machine is changed.
pub(crate) struct Daemon {
    dir: tempfile::TempDir,
    root: PathBuf,
    /// Where containerd keeps its tasks apart from others'.
    namespace: String,
    pub(crate) engine: Engine,
    /// Where it listens with TLS besides, and the folder with its certificates.
    tls: Option<(TcpListener, PathBuf)>,
    process: Option<Child>,
}

impl Daemon {
    pub(crate) fn start(root: Option<&Path>) -> Self {
        Self::start_with(root, None)
    }

    /// One that also accepts clients of the same authority at this address.
    pub(crate) fn with_tls(listener: TcpListener, certificates: &Path) -> Self {
        Self::start_with(None, Some((listener, certificates.to_owned())))
    }

    fn start_with(root: Option<&Path>, tls: Option<(TcpListener, PathBuf)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine { host: Some(format!("unix://{}/docker.sock", dir.path().display())) };
        let root = root.unwrap_or(dir.path()).join("data");
        let namespace = format!("terarchitect-test-{}", Uuid::new_v4().simple());
        let mut daemon = Self { dir, root, namespace, engine, tls, process: None };
        daemon.launch();
        daemon
    }

    /// Starts the engine, and waits until it says that it listens.
    fn launch(&mut self) {
        let below = |name: &str| self.dir.path().join(name);
        // In a network of its own: an engine that is started without a bridge removes the machine's bridge.
        // The address with TLS is one of the machine's all the same: it is handed over, as systemd does.
        let start = "if [ $# -gt 0 ] && [ \"$1\" = tls ]; then shift; exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; fi; exec dockerd \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", start, "sh"]);
        if let Some((listener, certificates)) = &self.tls {
            command.stdin(OwnedFd::from(listener.try_clone().unwrap())).args(["tls", "-H", "fd://", "--tlsverify"]);
            for (option, file) in
                [("--tlscacert", "ca.pem"), ("--tlscert", "server-cert.pem"), ("--tlskey", "server-key.pem")]
            {
                command.arg(option).arg(certificates.join(file));
            }
        }
        let mut process = command
            .arg("--data-root")
            .arg(&self.root)
            .arg("--exec-root")
            .arg(below("exec"))
            .arg("--pidfile")
            .arg(below("pid"))
            .args(["-H", self.engine.host.as_ref().unwrap()])
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"])
            .args(["--host-gateway-ip", "127.0.0.1", "--containerd-namespace", &self.namespace])
            .args(["--containerd-plugins-namespace", &format!("{}-plugins", self.namespace)])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut last = Vec::new();
        let listens = said.by_ref().any(|line| {
            let listens = line.contains("API listen on");
            last.push(line);
            listens
        });
        assert!(listens, "dockerd ended: {last:?}");
        std::thread::spawn(move || said.for_each(drop));
        self.process = Some(process);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.process.as_ref().unwrap()), signal).unwrap();
    }

    fn end_in_order(&mut self) {
        self.signal(Signal::TERM);
        self.process.take().unwrap().wait().unwrap();
    }

    /// Kills it, with the containerd that it started. Containers run on.
    fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.process.take().unwrap().wait().unwrap();
        let file = self.dir.path().join("exec/containerd/containerd.pid");
        kill_and_wait(std::fs::read_to_string(&file).unwrap().trim().parse().unwrap());
        // The next engine would assume that containerd still runs as long as this file exists.
        std::fs::remove_file(file).unwrap();
    }

    /// Kills everything at once, including the container, as a loss of power does.
    fn lose_power(&mut self, container: &str) {
        let inspected = self.engine.docker().args(["inspect", "-f", "{{.State.Pid}}", container]).output().unwrap();
        let init: i32 = String::from_utf8(inspected.stdout).unwrap().trim().parse().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{init}/status")).unwrap();
        let shim = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap();
        self.kill();
        kill_and_wait(shim);
        kill_and_wait(init);
    }

    /// Copies an image of the machine's engine.
    pub(crate) fn load(&self, image: &str) {
        let mut save = Engine::default().docker().args(["save", image]).stdout(Stdio::piped()).spawn().unwrap();
        let from = save.stdout.take().unwrap();
        let loaded = self.engine.docker().arg("load").stdin(from).stdout(Stdio::null()).status().unwrap();
        assert!(loaded.success() && save.wait().unwrap().success(), "the image could not be copied");
    }

    async fn world(&self, image: &str) -> World {
        world(&self.engine, image, &["--network", "none", "--min-free-mb", "0"]).await
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.signal(Signal::CONT);
            self.end_in_order();
        }
        // One that was killed left a mount on its folder behind.
        let mounted =
            |root: &Path| std::fs::read_to_string("/proc/mounts").unwrap().contains(&format!(" {} ", root.display()));
        while mounted(&self.root)
            && Command::new("umount").arg(&self.root).status().is_ok_and(|status| status.success())
        {}
    }
}

/// Kills a process that is not a child of this one, and waits for its end. It may have ended already.
fn kill_and_wait(pid: i32) {
    if let Ok(process) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) {
        let _ = pidfd_send_signal(&process, Signal::KILL);
        poll(&mut [PollFd::new(&process, PollFlags::IN)], None).unwrap();
    }
}

/// Supervises a job to its end, applies a fault to the engine once the container runs, and returns what was reported.
pub(crate) async fn finish_meanwhile(
    world: &World,
    engine: &Engine,
    job: &Job,
    fault: impl FnOnce() + Send,
) -> serde_json::Value {
    let mut started = engine.container_starts(&Attempt::of(job).container_name());
    let running = tokio::task::spawn_blocking(move || started.wait_for_one());
    let (report, ()) = tokio::join!(finish(world, job), async {
        running.await.unwrap();
        tokio::task::block_in_place(fault);
    });
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_engine_ends_the_attempt_and_a_silent_one_nothing() {
    let Some(base) = base_image() else { return };
    let mut daemon = Daemon::start(None);
    daemon.load(&base);
    let engine = daemon.engine.clone();
    let long = ScriptImage::new(&engine, &base, "sleep 600");
    for fault in ["restarted", "killed", "without power"] {
        let (world, job) = (daemon.world(&long.name).await, job());
        let report = finish_meanwhile(&world, &engine, &job, || {
            match fault {
                "restarted" => daemon.end_in_order(),
                "killed" => daemon.kill(),
                _ => daemon.lose_power(&Attempt::of(&job).container_name()),
            }
            daemon.launch();
        })
        .await;
        assert_eq!(report["reason"], "engine_restart", "{fault}: {report}");
    }

    let short = ScriptImage::new(&engine, &base, "sleep 1");
    let world = daemon.world(&short.name).await;
    let impatient = crate::world(&engine, &short.name, &["--network", "none", "--engine-timeout-sec", "1"]).await;
    let mut readiness = Readiness::default();
    assert!(readiness.may_claim(&impatient.shared).await);
    let handle = tokio::runtime::Handle::current();
    let report = finish_meanwhile(&world, &engine, &job(), || {
        daemon.signal(Signal::STOP);
        let before = Instant::now();
        let response = handle.block_on(impatient.shared.engine.version());
        assert!(matches!(response, Err(EngineError::TimedOut { .. })) && before.elapsed() < Duration::from_secs(30));
        assert!(!handle.block_on(readiness.may_claim(&impatient.shared)), "nothing is claimed");
        // Long enough for the container to end unseen.
        daemon.signal(Signal::CONT);
    })
    .await;
    assert_eq!(report["reason"], json!("completed"), "the running container was left alone: {report}");
    assert!(readiness.may_claim(&impatient.shared).await, "it claims again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_claims_and_not_reports() {
    let Some(base) = base_image() else { return };
    let Some(disk) = SmallDisk::new(700).unwrap() else { return };
    let daemon = Daemon::start(Some(&disk.path()));
    daemon.load(&base);
    let image = ScriptImage::new(&daemon.engine, &base, "true");
    let options = ["--network", "none", "--min-free-mb", "50"];
    // The coordinator's own state is on the same disk.
    let state = tempfile::tempdir_in(disk.path()).unwrap();
    let world = world_in(&daemon.engine, &image.name, &options, state).await;
    assert!(Readiness::default().may_claim(&world.shared).await);

    let fill = disk.fill().unwrap();
    assert!(!Readiness::default().may_claim(&world.shared).await, "nothing is claimed");
    let report = finish(&world, &job()).await;
    assert_eq!(report["reason"], "disk_full", "{report}");

    std::fs::remove_file(fill).unwrap();
    assert!(Readiness::default().may_claim(&world.shared).await);
    assert_eq!(finish(&world, &job()).await["reason"], "completed");
}

/// A file system with room for few files, in memory.
struct FewFiles(tempfile::TempDir);

impl Drop for FewFiles {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.path()).status();
        assert!(std::thread::panicking() || unmounted.is_ok_and(|status| status.success()), "it is still mounted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_with_space_and_without_room_for_files_stops_claims() {
    let Some(base) = base_image() else { return };
    let place = FewFiles(tempfile::tempdir().unwrap());
    let options = ["-t", "tmpfs", "-o", "size=4g,nr_inodes=60000", "few"];
    let mounted = Command::new("mount").args(options).arg(place.0.path()).status().unwrap();
    assert!(mounted.success(), "this test needs root");
    let daemon = Daemon::start(Some(place.0.path()));
    daemon.load(&base);
    let image = ScriptImage::new(&daemon.engine, &base, "true");
    let world = world(&daemon.engine, &image.name, &["--network", "none", "--min-free-mb", "50"]).await;
    assert!(Readiness::default().may_claim(&world.shared).await);
    let remount = Command::new("mount").args(["-o", "remount,nr_inodes=20000"]).arg(place.0.path()).status().unwrap();
    assert!(remount.success());
    assert!(!Readiness::default().may_claim(&world.shared).await, "nothing is claimed");
}
