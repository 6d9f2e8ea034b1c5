//! A private Postgres for hosts without one: its own cluster in the data directory, reached through a Unix socket
//! alone, started and stopped with the API, its data kept.
//!
//! A Postgres that an API killed with SIGKILL has left behind is stopped in an orderly way before a new one starts on
//! the same data. It touches nothing outside of its own directory.

mod binaries;
mod owner;
mod postmaster;

use binaries::Binaries;
use owner::Owner;
use postmaster::Postmaster;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Executor};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SUPERUSER: &str = "terarchitect";
const DATABASE: &str = "terarchitect";
/// The longest path of a Unix socket that Linux takes is 107 bytes; Postgres adds this file name.
const MAX_SOCKET_DIR_BYTES: usize = 107 - "/.s.PGSQL.5432.lock".len();
/// The first and the longest pause before a Postgres that ended by itself is started again.
const RESTART_PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Why the private Postgres could not be run. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Another API uses the directory.
    #[error("another terarchitect-api uses the data directory {}; stop it, or set TERARCHITECT_DATA_DIR to another directory", dir.display())]
    InUse {
        /// The data directory.
        dir: PathBuf,
    },
    /// Postgres is not installed.
    #[error(
        "no Postgres found to run privately; install it (Debian or Ubuntu: apt-get install postgresql), or set DATABASE_URL to one that runs"
    )]
    NoBinaries,
    /// The cluster was made with a version that is not installed.
    #[error(
        "the private database was made with Postgres {major}, which is not installed; install it (Debian or Ubuntu: apt-get install postgresql-{major})"
    )]
    OtherVersionNeeded {
        /// The major version.
        major: u32,
    },
    /// There is no other user for root to run Postgres as.
    #[error(
        "Postgres refuses to run as root, and there is neither a user 'postgres' nor 'nobody' to run it as; start the API as another user"
    )]
    NoUser,
    /// The unprivileged user can't get to the directory.
    #[error("the user '{user}', as whom Postgres runs, can't reach {}: {} does not let other users through; set TERARCHITECT_DATA_DIR to a directory that they can reach, such as /var/lib/terarchitect", dir.display(), above.display())]
    Unreachable {
        /// The user.
        user: String,
        /// Where it has to get.
        dir: PathBuf,
        /// What is in the way.
        above: PathBuf,
    },
    /// The path is too long for a socket.
    #[error("the data directory {} has too long a path for a Unix socket; set TERARCHITECT_DATA_DIR to a shorter one", dir.display())]
    PathTooLong {
        /// The data directory.
        dir: PathBuf,
    },
    /// A file or folder can't be read or written.
    #[error("could not read or write {}", path.display())]
    Directory {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// A program can't be run.
    #[error("could not run {}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// `initdb` failed.
    #[error("could not create the private database: initdb failed: {output}")]
    Initdb {
        /// What it printed.
        output: String,
    },
    /// Postgres ended at once.
    #[error("the private Postgres did not start; the end of {} says: {tail}", log.display())]
    NotStarted {
        /// Its log.
        log: PathBuf,
        /// The end of it.
        tail: String,
    },
    /// Postgres runs but can't be talked to.
    #[error("the private Postgres does not respond")]
    NoAnswer(#[source] sqlx::Error),
    /// A leftover Postgres does not end.
    #[error(
        "a Postgres left over from an earlier run (process {pid}) does not stop; stop it (kill {pid}), then start again"
    )]
    LeftOver {
        /// The process.
        pid: i32,
    },
}

/// The right to use a data directory; the system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

impl DataDirLock {
    /// Takes the right, unless another process has it.
    ///
    /// # Errors
    /// When another API runs on the directory, or the lock file can't be written.
    pub fn acquire(dir: &Path) -> Result<Self, ClusterError> {
        let path = dir.join("api.lock");
        let failed = |source| ClusterError::Directory { path: path.clone(), source };
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(ClusterError::InUse { dir: dir.to_owned() }),
            Err(errno) => Err(failed(errno.into())),
        }
    }
}

/// Where a cluster's files are.
#[derive(Clone, Debug)]
struct Layout {
    data: PathBuf,
    socket_dir: PathBuf,
    log: PathBuf,
}

/// A running private Postgres. Call [`Cluster::stop`] before the process ends.
#[derive(Debug)]
pub struct Cluster {
    layout: Layout,
    stop: CancellationToken,
    supervisor: JoinHandle<Result<(), ClusterError>>,
    _lock: DataDirLock,
}

impl Cluster {
    /// Makes the cluster on first use, starts it, and waits until it responds.
    ///
    /// # Errors
    /// See [`ClusterError`].
    pub async fn start(data_dir: &Path, lock: DataDirLock) -> Result<Self, ClusterError> {
        let data_dir =
            data_dir.canonicalize().map_err(|source| ClusterError::Directory { path: data_dir.to_owned(), source })?;
        let root = data_dir.join("postgres");
        let layout = Layout { data: root.join("data"), socket_dir: root.join("run"), log: root.join("postgres.log") };
        if layout.socket_dir.as_os_str().len() > MAX_SOCKET_DIR_BYTES {
            return Err(ClusterError::PathTooLong { dir: data_dir });
        }
        let owner = Owner::choose()?;
        owner.require_reachable(&data_dir)?;
        owner.make_dir(&root)?;
        owner.make_dir(&layout.socket_dir)?;
        postmaster::stop_left_over(&layout.data).await?;
        let binaries = Binaries::find(existing_major(&layout.data)?)?;
        if !layout.data.exists() {
            initdb(&binaries, &owner, &layout.data).await?;
        }
        let postmaster = Postmaster::start(&binaries, &owner, &layout)?;
        let stop = CancellationToken::new();
        let mut cluster = Self {
            supervisor: tokio::spawn(supervise(postmaster, binaries, owner, layout.clone(), stop.clone())),
            layout,
            stop,
            _lock: lock,
        };
        match cluster.wait_until_it_responds().await {
            Ok(()) => Ok(cluster),
            Err(error) => {
                cluster.stop.cancel();
                let ended = (&mut cluster.supervisor).await;
                Err(ended.ok().and_then(Result::err).unwrap_or(error))
            }
        }
    }

    /// How to connect to its database.
    #[must_use]
    pub fn connect_options(&self) -> PgConnectOptions {
        self.options(DATABASE)
    }

    fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass().socket(&self.layout.socket_dir).username(SUPERUSER).database(database)
    }

    async fn wait_until_it_responds(&mut self) -> Result<(), ClusterError> {
        let mut conn = loop {
            match PgConnection::connect_with(&self.options("postgres")).await {
                Ok(conn) => break conn,
                // A supervisor that has ended has the reason; a Postgres that recovers from a crash takes its time.
                Err(error) if self.supervisor.is_finished() => return Err(ClusterError::NoAnswer(error)),
                Err(error) => tracing::debug!(%error, "the private Postgres does not respond yet"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let exists = sqlx::query_scalar::<_, bool>("select exists (select from pg_database where datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut conn)
            .await
            .map_err(ClusterError::NoAnswer)?;
        if !exists {
            conn.execute("create database terarchitect").await.map_err(ClusterError::NoAnswer)?;
        }
        conn.close().await.map_err(ClusterError::NoAnswer)
    }

    /// Stops it and waits for its end.
    ///
    /// # Errors
    /// When it had failed before.
    pub async fn stop(mut self) -> Result<(), ClusterError> {
        self.stop.cancel();
        match (&mut self.supervisor).await {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "the supervisor of the private Postgres failed");
                Ok(())
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The version that an existing cluster was made with.
fn existing_major(data: &Path) -> Result<Option<u32>, ClusterError> {
    let path = data.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ClusterError::Directory { path, source }),
    }
}

/// Makes the cluster beside its place and renames it, so that a crash can't leave half a cluster in its place.
async fn initdb(binaries: &Binaries, owner: &Owner, data: &Path) -> Result<(), ClusterError> {
    let draft = data.with_extension("new");
    let failed = |source| ClusterError::Directory { path: draft.clone(), source };
    if draft.exists() {
        fs::remove_dir_all(&draft).map_err(failed)?;
    }
    tracing::info!(path = %data.display(), version = binaries.major, "creating the private database");
    let program = binaries.path("initdb");
    let mut command = postmaster::clean_command(&program);
    command.arg("--pgdata").arg(&draft).arg("--username").arg(SUPERUSER);
    command.args(["--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--locale=C.UTF-8"]);
    command.args(["--data-checksums", "--no-instructions"]);
    owner.apply(&mut command);
    let output = tokio::process::Command::from(command)
        .output()
        .await
        .map_err(|source| ClusterError::Run { program: program.clone(), source })?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        return Err(ClusterError::Initdb { output: String::from_utf8_lossy(&text).trim().to_owned() });
    }
    fs::rename(&draft, data).map_err(failed)
}

/// Keeps Postgres running until `stop`: one that ends by itself is started again.
async fn supervise(
    mut postmaster: Postmaster,
    binaries: Binaries,
    owner: Owner,
    layout: Layout,
    stop: CancellationToken,
) -> Result<(), ClusterError> {
    let mut pause = RESTART_PAUSE.0;
    loop {
        let started = tokio::time::Instant::now();
        tokio::select! {
            () = stop.cancelled() => return postmaster.stop().await,
            status = postmaster.wait() => {
                let tail = postmaster::log_tail(&layout.log);
                if started.elapsed() < Duration::from_secs(5) && pause > RESTART_PAUSE.0 * 8 {
                    return Err(ClusterError::NotStarted { log: layout.log, tail });
                }
                tracing::error!(?status, log.tail = tail, "the private Postgres stopped unexpectedly; starting it again");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(RESTART_PAUSE.1),
        }
        postmaster = Postmaster::start(&binaries, &owner, &layout)?;
    }
}
