//! Command line and environment. Every option is an argument with an environment variable, so `--help` is the reference.

#![allow(rustdoc::broken_intra_doc_links, rustdoc::bare_urls, reason = "the options' texts are written for --help")]

mod commands;
mod cursor;
mod error;

pub use commands::{
    AdminCommand, AdminCreate, AdminPerson, BackupOptions, Command, PassphraseOptions, RestoreOptions, WebhooksCommand,
};
pub use cursor::CursorOptions;
pub use error::ConfigError;

use clap::{Args, Parser, ValueEnum};
use secrecy::SecretString;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;
use terarchitect_outbound::http_url;
use url::Url;

/// Terarchitect's API: the durable queue of agent jobs and everything that reads or moves it.
#[derive(Debug, Parser)]
#[command(name = "terarchitect-api", version, max_term_width = 110, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do; if absent, serve.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve.
    #[command(flatten)]
    pub serve: ServeOptions,
}

const AFTER_HELP: &str = "Without DATABASE_URL the API runs a private Postgres in its data directory.\n\
Without keys it accepts requests from this machine only. RUST_LOG sets the log level, such as RUST_LOG=debug.";

/// How to serve.
#[derive(Debug, Args)]
pub struct ServeOptions {
    /// Addresses to listen on, separated by commas. Addresses other than loopback need a key. Port 0 picks a free port,
    /// the same one for all addresses.
    #[arg(
        long,
        env = "TERARCHITECT_LISTEN",
        default_value = "127.0.0.1:5010",
        global = true,
        value_name = "HOST:PORT,…"
    )]
    pub listen: String,
    /// The Postgres database to use, such as postgres://user:password@host/database. If unset, the API runs a private
    /// Postgres in its data directory.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true, value_name = "URL")]
    pub database_url: Option<SecretString>,
    /// The directory for the private Postgres and the secret key [default: /var/lib/terarchitect as root, else
    /// $XDG_DATA_HOME/terarchitect or ~/.local/share/terarchitect].
    #[arg(long, env = "TERARCHITECT_DATA_DIR", global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The key for the application's endpoints. If unset, CHYTR_API_KEY; with neither, they accept requests from this machine only.
    #[arg(long, env = "TERARCHITECT_API_KEY", hide_env_values = true, global = true, value_name = "KEY")]
    pub api_key: Option<SecretString>,
    /// The key for the worker endpoints. The setting of the same name takes precedence. With neither, they accept
    /// requests from this machine only.
    #[arg(long, env = "TERARCHITECT_WORKER_API_KEY", hide_env_values = true, global = true, value_name = "KEY")]
    pub worker_api_key: Option<SecretString>,
    /// Origins of front ends that are served elsewhere and may call from a browser, separated by commas, such as
    /// https://board.example. If unset, only pages of the API itself may.
    #[arg(
        long,
        env = "TERARCHITECT_ALLOWED_ORIGINS",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "ORIGIN,…"
    )]
    pub allowed_origins: String,
    /// The base of GitHub's REST API, for tests of the token and of projects [default: https://api.github.com]. The same as
    /// on the coordinators, such as https://git.example/api/v3.
    #[arg(long, env = "GITHUB_API_URL", global = true, value_name = "URL")]
    pub github_api_url: Option<String>,
    /// The address that people open, such as https://board.example, where it is not the address that the API listens on.
    /// Links to sign in lead there, cookies are for TLS alone if it is https, and pages there may call. If unset, CHYTR_PUBLIC_URL.
    #[arg(long, env = "TERARCHITECT_PUBLIC_URL", global = true, value_name = "URL")]
    pub public_url: Option<String>,
    /// How people sign in with a provider.
    #[command(flatten)]
    pub oidc: OidcOptions,
    /// How agents are launched in Cursor's cloud.
    #[command(flatten)]
    pub cursor: CursorOptions,
    /// The key that encrypts secret settings: 32 bytes as 64 hexadecimal digits or base64. It must be the same for all
    /// API processes on one database. If unset, one is generated and kept in the data directory.
    #[arg(long, env = "TERARCHITECT_SECRET_KEY", hide_env_values = true, global = true, value_name = "KEY")]
    pub secret_key: Option<SecretString>,
    /// The maximum number of connections in the database pool.
    #[arg(long, env = "TERARCHITECT_DATABASE_CONNECTIONS", default_value_t = 16, global = true, value_name = "N",
        value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub database_connections: u32,
    /// How long a job may take, in seconds.
    #[arg(long, env = "TERARCHITECT_JOB_TIMEOUT_SEC", default_value_t = 14_400, global = true, value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(60..=2_592_000))]
    pub job_timeout_sec: u64,
    /// The lease: how long a job stays with a coordinator that sends no heartbeats, in seconds.
    #[arg(long, env = "TERARCHITECT_LEASE_SEC", default_value_t = 90, global = true, value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(5..=86_400))]
    pub lease_sec: u64,
    /// Delete events, log entries and finished jobs after this many days, but nothing that a live job or an open ticket
    /// needs. 0 keeps everything.
    #[arg(long, env = "TERARCHITECT_RETENTION_DAYS", default_value_t = 90, global = true, value_name = "DAYS",
        value_parser = clap::value_parser!(u64).range(0..=36_500))]
    pub retention_days: u64,
    /// Delete entries of the audit after this many days. 0 keeps everything.
    #[arg(long, env = "TERARCHITECT_AUDIT_RETENTION_DAYS", default_value_t = 400, global = true, value_name = "DAYS",
        value_parser = clap::value_parser!(u64).range(0..=36_500))]
    pub audit_retention_days: u64,
    /// Ask each repository's forge for changed pull requests and issues after this many seconds; less often while nothing
    /// changes there, at least every 5 minutes. Webhooks tell sooner.
    #[arg(long, env = "TERARCHITECT_FORGE_SWEEP_SEC", default_value_t = 30, global = true, value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(5..=3_600))]
    pub forge_sweep_sec: u64,
    /// Write a JSON file with the addresses once the API listens. For scripts that start it.
    #[arg(long, env = "TERARCHITECT_READY_FILE", global = true, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// The format of log lines.
    #[arg(long, env = "LOG_FORMAT", default_value = "pretty", global = true)]
    pub log_format: LogFormat,
}

/// How people sign in with an OpenID Connect provider.
#[derive(Args, Clone, Debug)]
pub struct OidcOptions {
    /// The OpenID Connect provider that people sign in with, such as https://id.example/realms/team. It needs
    /// TERARCHITECT_PUBLIC_URL; the provider has to allow the address /api/oidc/callback there.
    #[arg(long, env = "TERARCHITECT_OIDC_ISSUER", global = true, value_name = "URL")]
    pub oidc_issuer: Option<String>,
    /// What the provider calls this API.
    #[arg(long, env = "TERARCHITECT_OIDC_CLIENT_ID", global = true, value_name = "ID")]
    pub oidc_client_id: Option<String>,
    /// The secret that the provider knows this API by. If unset, PKCE alone protects the sign-in.
    #[arg(long, env = "TERARCHITECT_OIDC_CLIENT_SECRET", hide_env_values = true, global = true, value_name = "SECRET")]
    pub oidc_client_secret: Option<SecretString>,
    /// What the page calls the provider.
    #[arg(long, env = "TERARCHITECT_OIDC_NAME", default_value = "Single sign-on", global = true, value_name = "NAME")]
    pub oidc_name: String,
    /// The claim that names a person's groups.
    #[arg(long, env = "TERARCHITECT_OIDC_GROUPS_CLAIM", default_value = "groups", global = true, value_name = "CLAIM")]
    pub oidc_groups_claim: String,
    /// Which groups give which role, such as admins=admin,devs=member. The highest counts, again at each sign-in. If unset,
    /// groups give none, and people need an invitation to their verified address.
    #[arg(
        long,
        env = "TERARCHITECT_OIDC_ROLES",
        default_value = "",
        hide_default_value = true,
        global = true,
        value_name = "GROUP=ROLE,…"
    )]
    pub oidc_roles: String,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text for people.
    Pretty,
    /// JSON for programs, one object a line.
    Json,
}

/// Times and sizes that operators can set.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a job may take.
    pub job_timeout: Duration,
    /// How long the lease of a worker that sends heartbeats is valid.
    pub lease: Duration,
    /// After how long events, log entries and finished jobs are deleted; absent: never.
    pub retention: Option<Duration>,
    /// After how long entries of the audit are deleted; absent: never.
    pub audit_retention: Option<Duration>,
    /// The pause between two questions to a forge for what has changed in a repository, while something does.
    pub forge_sweep: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let (job_timeout, lease) = (Duration::from_secs(14_400), Duration::from_secs(90));
        let forge_sweep = Duration::from_secs(30);
        Self { job_timeout, lease, retention: None, audit_retention: None, forge_sweep }
    }
}

/// For how long something is kept; none for ever, which 0 days stand for.
fn days(days: u64) -> Option<Duration> {
    (days > 0).then(|| Duration::from_secs(days * 86_400))
}

impl ServeOptions {
    /// Times and sizes that operators can set.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            job_timeout: Duration::from_secs(self.job_timeout_sec),
            lease: Duration::from_secs(self.lease_sec),
            retention: days(self.retention_days),
            audit_retention: days(self.audit_retention_days),
            forge_sweep: Duration::from_secs(self.forge_sweep_sec),
        }
    }

    /// The key for the application's endpoints, under either of its names.
    #[must_use]
    pub fn api_key(&self) -> Option<SecretString> {
        non_empty(self.api_key.as_ref()).or_else(|| variable("CHYTR_API_KEY").map(SecretString::from))
    }

    /// The addresses to listen on.
    ///
    /// # Errors
    /// When one is not valid, or there is none.
    pub fn addresses(&self) -> Result<Vec<SocketAddr>, ConfigError> {
        let mut addresses = Vec::new();
        for address in self.listen.split(',').map(str::trim).filter(|address| !address.is_empty()) {
            let resolved =
                address.to_socket_addrs().map_err(|_| ConfigError::Listen { address: address.to_owned() })?;
            addresses.extend(resolved);
        }
        addresses.dedup();
        if addresses.is_empty() { Err(ConfigError::NoListen) } else { Ok(addresses) }
    }

    /// The base of the forge's API, where it is set.
    ///
    /// # Errors
    /// When it is not an address.
    pub fn forge_api(&self) -> Result<Option<Url>, ConfigError> {
        let given = self.github_api_url.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let invalid = |address: &str| ConfigError::ForgeApi { address: address.to_owned() };
        given.map(|text| http_url(text).map_err(|_| invalid(text))).transpose()
    }

    /// The address that people open, if it is given.
    ///
    /// # Errors
    /// When it is not valid.
    pub fn public_url(&self) -> Result<Option<Url>, ConfigError> {
        let own = self.public_url.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let Some(text) = own.or_else(|| variable("CHYTR_PUBLIC_URL")) else { return Ok(None) };
        let text = text.as_str();
        let invalid = || ConfigError::PublicUrl { url: text.to_owned() };
        let url: Url = text.parse().map_err(|_| invalid())?;
        let plain = url.username().is_empty() && url.password().is_none();
        let usable = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
        if usable && plain { Ok(Some(url)) } else { Err(invalid()) }
    }

    /// Where data is kept.
    ///
    /// # Errors
    /// When none is given and there is no home directory.
    pub fn data_dir(&self) -> Result<PathBuf, ConfigError> {
        if let Some(dir) = self.data_dir.as_ref().filter(|dir| !dir.as_os_str().is_empty()) {
            return Ok(dir.clone());
        }
        if rustix::process::geteuid().is_root() {
            return Ok(PathBuf::from("/var/lib/terarchitect"));
        }
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        set("XDG_DATA_HOME")
            .or_else(|| set("HOME").map(|home| home.join(".local/share")))
            .map(|dir| dir.join("terarchitect"))
            .ok_or(ConfigError::NoDataDir)
    }
}

/// A variable under which other programs know an option of this one; an empty one counts as unset.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// A configured key; an empty one counts as unset.
#[must_use]
pub fn non_empty(key: Option<&SecretString>) -> Option<SecretString> {
    use secrecy::ExposeSecret;
    key.map(|key| key.expose_secret().trim())
        .filter(|key| !key.is_empty())
        .map(|key| SecretString::from(key.to_owned()))
}

/// Refuses addresses that others can reach while no key is set.
///
/// # Errors
/// Names the first such address.
pub fn require_loopback(addresses: &[SocketAddr]) -> Result<(), ConfigError> {
    match addresses.iter().find(|address| !address.ip().to_canonical().is_loopback()) {
        Some(&address) => Err(ConfigError::OpenToOthers { address }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(listen: &str) -> ServeOptions {
        Cli::parse_from(["terarchitect-api", "--listen", listen]).serve
    }

    #[test]
    fn several_addresses_are_separated_by_commas() {
        let addresses = options("127.0.0.1:5010, [::1]:0").addresses().unwrap();
        assert_eq!(addresses, ["127.0.0.1:5010".parse().unwrap(), "[::1]:0".parse().unwrap()]);
        assert!(matches!(options(" , ").addresses(), Err(ConfigError::NoListen)));
        assert!(matches!(options("5010").addresses(), Err(ConfigError::Listen { .. })));
    }

    #[test]
    fn only_loopback_without_a_key() {
        assert!(require_loopback(&options("127.0.0.1:1,[::1]:1").addresses().unwrap()).is_ok());
        for open in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1"] {
            assert!(require_loopback(&options(open).addresses().unwrap()).is_err(), "{open}");
        }
    }

    #[test]
    fn the_audit_is_kept_longer_than_the_rest_and_0_days_are_for_ever() {
        let kept = |arguments: &[&str]| {
            let limits = Cli::parse_from([&["terarchitect-api"], arguments].concat()).serve.limits();
            [limits.retention, limits.audit_retention].map(|keep| keep.map(|keep| keep.as_secs() / 86_400))
        };
        assert_eq!(kept(&[]), [Some(90), Some(400)]);
        assert_eq!(kept(&["--retention-days=0", "--audit-retention-days=0"]), [None, None]);
    }

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
