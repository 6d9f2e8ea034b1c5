//! A private Postgres for hosts without one: its own cluster in the data directory, reached through a Unix socket
//! alone, started and stopped with the API, its data kept.
//!
//! A Postgres that an API killed with SIGKILL has left behind is stopped in an orderly way before a new one starts on
//! the same data. It touches nothing outside of its own directory.

mod binaries;
mod health;
mod owner;
mod postmaster;
mod supervision;

use binaries::Binaries;
pub use health::PrivateDatabase;
use owner::Owner;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{Connection, Executor};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use supervision::Supervisor;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SUPERUSER: &str = "terarchitect";
const DATABASE: &str = "terarchitect";
/// A part of the socket's name; nothing is listened on.
const PORT: u16 = 5432;
/// The pause between retries of the connection while Postgres starts.
const START_PAUSE: Duration = Duration::from_millis(50);
/// The SQLSTATE of a server that is starting, such as one that recovers from a crash.
const CANNOT_CONNECT_NOW: &str = "57P03";
/// What initdb prints, in English, where its caller has no name.
const NO_NAME: &str = "could not look up effective user ID";
/// The longest path of a Unix socket that Linux takes is 107 bytes; Postgres adds this file name.
const MAX_SOCKET_DIR_BYTES: usize = 107 - "/.s.PGSQL.5432.lock".len();

/// Why the private Postgres could not be run. Each text includes what to do.
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
        "Postgres is not installed, so the API can't run a private one; install it (Debian or Ubuntu: apt-get install postgresql), or set DATABASE_URL to a running Postgres"
    )]
    NoBinaries,
    /// The cluster was created with a version that is not installed.
    #[error(
        "the private database was created with Postgres {major}, which is not installed; either install it (Debian or Ubuntu: apt-get install postgresql-{major}), or move the data to another version: run 'terarchitect-api backup FILE' where Postgres {major} is installed, move {} aside, and run 'terarchitect-api restore FILE' here", folder.display()
    )]
    OtherVersionNeeded {
        /// The major version.
        major: u32,
        /// The folder of the private database.
        folder: PathBuf,
    },
    /// There is no unprivileged user to run Postgres as.
    #[error(
        "Postgres refuses to run as root, and there is neither a user 'postgres' nor 'nobody' to run it as; start the API as another user"
    )]
    NoUser,
    /// The unprivileged user can't get to the directory.
    #[error("Postgres runs as the user '{user}', who can't reach {}: {} can't be entered by other users; set TERARCHITECT_DATA_DIR to a directory that this user can reach, such as /var/lib/terarchitect", dir.display(), above.display())]
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
    /// Options for another server are in the environment.
    #[error(
        "PGOPTIONS is set, which changes what every connection does, also those to the private Postgres; unset it for the API, or set DATABASE_URL to the database that it is meant for"
    )]
    ForeignOptions,
    /// The caller has no name.
    #[error(
        "initdb needs a name for the user number {uid}, and the system knows none; start the API as a user of /etc/passwd, add a line for this number there, or set DATABASE_URL to a running Postgres"
    )]
    NamelessUser {
        /// The user's number.
        uid: u32,
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
    #[error("initdb could not create the private database: {output}")]
    Initdb {
        /// What it printed.
        output: String,
    },
    /// Postgres ended at once.
    #[error("the private Postgres did not start; its log {} ends with: {tail}", log.display())]
    NotStarted {
        /// Its log.
        log: PathBuf,
        /// The end of it.
        tail: String,
    },
    /// Postgres runs, but accepts no connection.
    #[error("could not connect to the private Postgres")]
    NoConnection(#[source] sqlx::Error),
    /// A leftover Postgres does not end.
    #[error(
        "a Postgres that an earlier API left running (process {pid}) does not stop; stop it, then start the API again"
    )]
    LeftOver {
        /// The process.
        pid: i32,
    },
}

/// The lock on a data directory; the system releases it when the process ends, however it ends.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

impl DataDirLock {
    /// Takes the lock, unless another process holds it.
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
    root: PathBuf,
    data: PathBuf,
    socket_dir: PathBuf,
    log: PathBuf,
}

impl Layout {
    /// The data directory without links, and where a cluster's files are in it.
    fn of(data_dir: &Path) -> Result<(PathBuf, Self), ClusterError> {
        let data_dir =
            data_dir.canonicalize().map_err(|source| ClusterError::Directory { path: data_dir.to_owned(), source })?;
        let root = data_dir.join("postgres");
        let (data, socket_dir, log) = (root.join("data"), root.join("run"), root.join("postgres.log"));
        if socket_dir.as_os_str().len() > MAX_SOCKET_DIR_BYTES {
            return Err(ClusterError::PathTooLong { dir: data_dir });
        }
        // Of all that the environment says about connections, these alone can't be replaced below.
        if std::env::var_os("PGOPTIONS").is_some_and(|options| !options.is_empty()) {
            return Err(ClusterError::ForeignOptions);
        }
        Ok((data_dir, Self { root, data, socket_dir, log }))
    }

    /// How to connect, whatever the environment (`PGPORT`, `PGSSLMODE` and the like) says about other servers.
    fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_dir)
            .port(PORT)
            .ssl_mode(PgSslMode::Disable)
            .username(SUPERUSER)
            .database(database)
    }
}

/// A running private Postgres. Call [`Cluster::stop`] before the process ends.
#[derive(Debug)]
pub struct Cluster {
    layout: Layout,
    stop: CancellationToken,
    supervisor: JoinHandle<Result<(), ClusterError>>,
    health: Arc<PrivateDatabase>,
    _lock: DataDirLock,
}

impl Cluster {
    /// Creates the cluster on first use, starts it, and waits until it accepts connections. None if it was told to stop
    /// before that: nothing is left running then.
    ///
    /// # Errors
    /// See [`ClusterError`].
    pub async fn start(
        data_dir: &Path,
        lock: DataDirLock,
        give_up: &CancellationToken,
    ) -> Result<Option<Self>, ClusterError> {
        let (data_dir, layout) = Layout::of(data_dir)?;
        let owner = Owner::choose()?;
        owner.require_reachable(&data_dir)?;
        owner.make_dir(&layout.root)?;
        owner.make_dir(&layout.socket_dir)?;
        postmaster::stop_left_over(&layout).await?;
        let binaries = Binaries::find(existing_major(&layout.data)?, &layout.root)?;
        if !layout.data.exists() {
            initdb(&binaries, &owner, &layout.data).await?;
        }
        let (stop, health) = (CancellationToken::new(), Arc::new(PrivateDatabase::new(&layout.data)));
        let supervisor = Supervisor::new(binaries, owner, layout.clone(), health.clone());
        let has_responded = supervisor.has_responded.clone();
        let supervisor = tokio::spawn(supervisor.run(stop.clone()));
        let mut cluster = Self { supervisor, layout, stop, health, _lock: lock };
        let responds = tokio::select! {
            responds = cluster.wait_until_it_responds() => responds,
            () = give_up.cancelled() => return cluster.stop().await.map(|()| None),
        };
        match responds {
            Ok(()) => {
                has_responded.store(true, Ordering::Relaxed);
                Ok(Some(cluster))
            }
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

    /// Why it does not serve, where it does not.
    #[must_use]
    pub fn health(&self) -> Arc<PrivateDatabase> {
        self.health.clone()
    }

    /// How to connect to the database of a cluster that another process runs.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn connect_options_of(data_dir: &Path) -> Result<PgConnectOptions, ClusterError> {
        Ok(Layout::of(data_dir)?.1.options(DATABASE))
    }

    /// Whether a data directory has a cluster.
    #[must_use]
    pub fn exists(data_dir: &Path) -> bool {
        data_dir.join("postgres/data/PG_VERSION").exists()
    }

    fn options(&self, database: &str) -> PgConnectOptions {
        self.layout.options(database)
    }

    async fn wait_until_it_responds(&mut self) -> Result<(), ClusterError> {
        let mut conn = loop {
            match PgConnection::connect_with(&self.options("postgres")).await {
                Ok(conn) => break conn,
                // A supervisor that has ended has the reason; a Postgres that recovers from a crash takes its time.
                Err(error) if self.supervisor.is_finished() => return Err(ClusterError::NoConnection(error)),
                Err(error) if may_pass(&error) => {
                    tracing::debug!(%error, "the private Postgres does not accept connections yet");
                }
                Err(error) => return Err(ClusterError::NoConnection(error)),
            }
            tokio::time::sleep(START_PAUSE).await;
        };
        let exists = sqlx::query_scalar::<_, bool>("select exists (select from pg_database where datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut conn)
            .await
            .map_err(ClusterError::NoConnection)?;
        if !exists {
            conn.execute("create database terarchitect").await.map_err(ClusterError::NoConnection)?;
        }
        conn.close().await.map_err(ClusterError::NoConnection)
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

/// Whether a server that starts may accept the next connection.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().as_deref() == Some(CANNOT_CONNECT_NOW),
        _ => false,
    }
}

/// The version that an existing cluster was created with.
fn existing_major(data: &Path) -> Result<Option<u32>, ClusterError> {
    let path = data.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ClusterError::Directory { path, source }),
    }
}

/// Creates the cluster beside its place and renames it, so that a crash can't leave half a cluster in its place.
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
        let output = String::from_utf8_lossy(&text).trim().to_owned();
        if output.contains(NO_NAME) {
            return Err(ClusterError::NamelessUser { uid: rustix::process::geteuid().as_raw() });
        }
        return Err(ClusterError::Initdb { output });
    }
    fs::rename(&draft, data).map_err(failed)
}
