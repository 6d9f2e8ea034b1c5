//! A private Postgres for tests: a cluster of its own in a temporary directory, reached through a Unix socket alone.
//!
//! It lives under a lifeline: a shell holds it, and that shell's standard input is a pipe from the test process. When
//! the test process ends, however it ends, the pipe closes, the shell stops Postgres and deletes the directory.

use anyhow::{Context, bail, ensure};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock};

/// Waits for the pipe's end, then stops Postgres at once and deletes the directory.
const SUPERVISOR: &str = r#"
"$1/postgres" -D "$2/data" -c listen_addresses= -c unix_socket_directories="$2" -c fsync="$3" \
    -c max_connections=200 -c log_min_messages=fatal $4 >"$2/log" 2>&1 </dev/null &
postgres=$!
until "$1/pg_isready" -q -h "$2" -U postgres || ! kill -0 $postgres 2>/dev/null; do sleep 0.02; done
echo ready
while read -r command; do
    case $command in
    restart)
        kill -QUIT $postgres; wait $postgres
        "$1/postgres" -D "$2/data" -c listen_addresses= -c unix_socket_directories="$2" -c fsync="$3" \
            -c max_connections=200 -c log_min_messages=fatal $4 >>"$2/log" 2>&1 </dev/null &
        postgres=$!
        until "$1/pg_isready" -q -h "$2" -U postgres || ! kill -0 $postgres 2>/dev/null; do sleep 0.02; done
        echo ready
        ;;
    esac
done
kill -QUIT $postgres 2>/dev/null
wait $postgres
cd / && rm -rf "$2"
"#;

/// Names the directory of a running cluster that tests share, across processes: [`TestPostgres::address`].
pub const ADDRESS_VARIABLE: &str = "TERARCHITECT_TEST_POSTGRES";

/// How a cluster is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Wait for the disk at every commit. Off by default: most tests check decisions, not what survives a crash.
    pub durable: bool,
    /// More settings, such as `-c shared_buffers=256MB`.
    pub settings: String,
}

/// A running cluster.
#[derive(Debug)]
pub struct TestPostgres {
    dir: PathBuf,
    binaries: PathBuf,
    /// Absent where another process started the cluster.
    supervisor: Option<Mutex<Supervisor>>,
}

#[derive(Debug)]
struct Supervisor {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<std::process::ChildStdout>,
}

impl TestPostgres {
    /// The cluster that tests share, each with a database of its own in it: the one that [`ADDRESS_VARIABLE`] names,
    /// or else one for this process.
    ///
    /// # Panics
    /// When Postgres is not installed or does not start: a test that needs it must not pass without it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<TestPostgres> = OnceLock::new();
        SHARED.get_or_init(|| {
            let cluster = match std::env::var_os(ADDRESS_VARIABLE) {
                Some(dir) if !dir.is_empty() => Self::running(dir.into()),
                _ => Self::start(&Options::default()),
            };
            cluster.expect("tests need Postgres; install Debian's postgresql")
        })
    }

    /// A cluster that another process started, and will stop.
    fn running(dir: PathBuf) -> anyhow::Result<Self> {
        let cluster = Self { binaries: find_binaries()?, dir, supervisor: None };
        cluster.execute("postgres", "select").with_context(|| {
            format!("{ADDRESS_VARIABLE} is {}, where no Postgres responds; unset it", cluster.dir.display())
        })?;
        Ok(cluster)
    }

    /// Starts a cluster of its own.
    ///
    /// # Errors
    /// When Postgres is not installed or does not start.
    pub fn start(options: &Options) -> anyhow::Result<Self> {
        let binaries = find_binaries()?;
        let dir = tempfile::Builder::new()
            .prefix("testpg-")
            .tempdir()
            .context("could not create a temporary directory")?
            .keep();
        let user = unprivileged_user();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&dir, Some(uid), Some(gid)).context("could not hand over the directory")?;
        }
        initdb(&binaries, &dir, user)?;
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(SUPERVISOR).arg("sh").arg(&binaries).arg(&dir);
        command.arg(if options.durable { "on" } else { "off" }).arg(&options.settings);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        run_as(&mut command, user);
        let mut child = command.spawn().context("could not start the supervisor of Postgres")?;
        let stdout = BufReader::new(child.stdout.take().context("the supervisor has no output")?);
        let stdin = child.stdin.take();
        let cluster = Self { dir, binaries, supervisor: Some(Mutex::new(Supervisor { child, stdin, stdout })) };
        cluster.await_ready()?;
        Ok(cluster)
    }

    /// The address of a database of this cluster.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.dir.display())
    }

    /// The value of [`ADDRESS_VARIABLE`] with which other processes find it.
    #[must_use]
    pub fn address(&self) -> &Path {
        &self.dir
    }

    /// The directory of its socket, for `PGHOST`.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.dir
    }

    /// The process id of the cluster's postmaster.
    ///
    /// # Errors
    /// When it is not running.
    pub fn postmaster_pid(&self) -> anyhow::Result<u32> {
        let text = fs::read_to_string(self.dir.join("data/postmaster.pid")).context("Postgres is not running")?;
        text.lines().next().and_then(|line| line.trim().parse().ok()).context("postmaster.pid holds no process id")
    }

    /// The folder with `psql`, `pgbench` and the other programs of the same version.
    #[must_use]
    pub fn binaries(&self) -> &Path {
        &self.binaries
    }

    /// Creates a database with a name of its own, as a copy of `template` where one is given, and returns its name.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub fn create_database(&self, template: Option<&str>) -> anyhow::Result<String> {
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let template = template.map(|template| format!(" template {template}")).unwrap_or_default();
        self.execute("postgres", &format!("create database {name}{template}"))?;
        Ok(name)
    }

    /// Deletes a database, and ends what is still connected to it.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub fn drop_database(&self, name: &str) -> anyhow::Result<()> {
        self.execute("postgres", &format!("drop database if exists {name} with (force)"))
    }

    /// Runs SQL with `psql`.
    ///
    /// # Errors
    /// When it fails, with what `psql` printed.
    pub fn execute(&self, database: &str, sql: &str) -> anyhow::Result<()> {
        let output = Command::new(self.binaries.join("psql"))
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h"])
            .arg(&self.dir)
            .args(["-d", database, "-c", sql])
            .output()
            .context("could not run psql")?;
        ensure!(output.status.success(), "psql failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Stops it as a crash would, without a checkpoint, starts it again and waits until it accepts connections.
    ///
    /// # Errors
    /// When it does not come back, or was started by another process.
    pub fn restart_immediate(&self) -> anyhow::Result<()> {
        use std::io::Write;
        {
            let mut supervisor = self.supervisor()?;
            let stdin = supervisor.stdin.as_mut().context("the cluster was stopped")?;
            writeln!(stdin, "restart").context("could not reach the supervisor of Postgres")?;
        }
        self.await_ready()
    }

    fn supervisor(&self) -> anyhow::Result<MutexGuard<'_, Supervisor>> {
        let supervisor = self.supervisor.as_ref().context("another process started this Postgres")?;
        Ok(supervisor.lock().expect("no holder of this lock panics"))
    }

    fn await_ready(&self) -> anyhow::Result<()> {
        let mut line = String::new();
        let mut supervisor = self.supervisor()?;
        supervisor.stdout.read_line(&mut line).context("the supervisor of Postgres ended")?;
        let log = || fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        ensure!(line.trim() == "ready", "Postgres did not start: {}", log());
        Ok(())
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        if let Ok(mut supervisor) = self.supervisor() {
            supervisor.stdin.take();
            let _ = supervisor.child.wait();
        }
    }
}

fn initdb(binaries: &Path, dir: &Path, user: Option<(u32, u32)>) -> anyhow::Result<()> {
    let mut command = Command::new(binaries.join("initdb"));
    command.arg("-D").arg(dir.join("data"));
    command.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]);
    command.current_dir("/");
    run_as(&mut command, user);
    let output = command.output().context("could not run initdb")?;
    ensure!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The folder of the newest installed Postgres.
fn find_binaries() -> anyhow::Result<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, dir)| dir.join("initdb").is_file())
        .collect();
    versions.sort();
    if let Some((_, dir)) = versions.pop() {
        return Ok(dir);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let Some(found) = std::env::split_paths(&path).find(|dir| dir.join("initdb").is_file()) else {
        bail!("no initdb found; install Postgres (Debian or Ubuntu: apt-get install postgresql)");
    };
    let initdb = found.join("initdb").canonicalize().context("initdb is a broken link")?;
    initdb.parent().map(Path::to_owned).context("initdb has no folder")
}

/// The user and group to run Postgres as. Postgres refuses to run as root.
fn unprivileged_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    ["postgres", "nobody"].iter().find_map(|name| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2);
        Some((ids.next()?.parse().ok()?, ids.next()?.parse().ok()?))
    })
}

fn run_as(command: &mut Command, user: Option<(u32, u32)>) {
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
}
