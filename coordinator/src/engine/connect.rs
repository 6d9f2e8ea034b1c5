//! The first contact with a Docker engine: why it can't be reached, in words that say what to do.

use super::{Docker, EngineError};
use crate::config::ContainerConfig;
use crate::docker_host::{Certificates, DockerHost};
use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, Docker as Client};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};

/// How long bollard waits for the head of a response, in seconds. The coordinator's own limits are usually shorter.
const CLIENT_TIMEOUT: u64 = 120;

/// Why there is no contact with the engine.
#[derive(Debug, thiserror::Error)]
pub enum NotReached {
    /// The socket does not exist.
    #[error("there is no Docker engine at {}; start it (sudo systemctl start docker), or set DOCKER_HOST to its socket{hint}", path.display())]
    NoSocket {
        /// The socket.
        path: PathBuf,
        /// Where one was found instead, as the rest of the sentence.
        hint: String,
    },
    /// There is something else at the path.
    #[error("{} is not a socket; set DOCKER_HOST to the Docker engine's socket, such as unix:///var/run/docker.sock", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The socket is not for this user.
    #[error("this user may not use the Docker engine's socket {}; add the user to the socket's group (sudo usermod -aG docker NAME) and log in again, or set DOCKER_HOST to the socket of a rootless engine", path.display())]
    NotAllowed {
        /// The socket.
        path: PathBuf,
    },
    /// The socket is a left-over.
    #[error("no Docker engine listens at {}; start it (sudo systemctl start docker)", path.display())]
    NotListening {
        /// The socket.
        path: PathBuf,
    },
    /// The connection failed.
    #[error("could not connect to the Docker engine at {host}; check DOCKER_HOST, and that the engine listens there")]
    NotConnected {
        /// Where.
        host: DockerHost,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It accepts connections, and that is all.
    #[error("the Docker engine at {host} accepts connections, but did not respond within {} seconds; restart it (sudo systemctl restart docker)", limit.as_secs())]
    Silent {
        /// Where.
        host: DockerHost,
        /// For how long.
        limit: Duration,
    },
    /// It speaks TLS only.
    #[error(
        "the Docker engine at {host} needs TLS; set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem"
    )]
    WantsTls {
        /// Where.
        host: DockerHost,
    },
    /// No TLS connection.
    #[error("could not set up TLS with the Docker engine at {host}; check the certificates in {}, or unset DOCKER_TLS_VERIFY if the engine does not use TLS", folder.display())]
    NoTls {
        /// Where.
        host: DockerHost,
        /// The folder with the certificates.
        folder: PathBuf,
        /// Why.
        #[source]
        source: Error,
    },
}

/// A client for an engine that responds, with the newest API version that both understand.
///
/// # Errors
/// When it does not respond; says why.
pub(super) async fn connect(config: &ContainerConfig) -> Result<Client, EngineError> {
    let (host, limit) = (&config.docker_host, config.call_limit);
    let silent = || NotReached::Silent { host: host.clone(), limit };
    // Says more about the reason than bollard's errors do.
    tokio::time::timeout(limit, touch(host)).await.map_err(|_| silent())??;
    let client = client(host).map_err(|source| not_negotiated(host, source))?;
    let negotiated = tokio::time::timeout(limit, client.negotiate_version()).await.map_err(|_| silent())?;
    negotiated.map_err(|source| not_negotiated(host, source))
}

fn client(host: &DockerHost) -> Result<Client, Error> {
    match host {
        DockerHost::Socket(path) => {
            Client::connect_with_unix(&path.to_string_lossy(), CLIENT_TIMEOUT, API_DEFAULT_VERSION)
        }
        DockerHost::Network { address, tls: None } => {
            Client::connect_with_http(&format!("tcp://{address}"), CLIENT_TIMEOUT, API_DEFAULT_VERSION)
        }
        DockerHost::Network { address, tls: Some(tls) } => Client::connect_with_ssl(
            &format!("tcp://{address}"),
            &tls.key(),
            &tls.certificate(),
            &tls.authority(),
            CLIENT_TIMEOUT,
            API_DEFAULT_VERSION,
        ),
    }
}

fn not_negotiated(host: &DockerHost, source: Error) -> EngineError {
    let host = host.clone();
    match (&source, &host) {
        (Error::DockerResponseServerError { message, .. }, _) if message.contains("HTTPS server") => {
            NotReached::WantsTls { host }.into()
        }
        (Error::DockerResponseServerError { .. }, _) => EngineError::Failed { attempted: "return its version", source },
        (_, DockerHost::Network { tls: Some(Certificates { folder }), .. }) => {
            NotReached::NoTls { folder: folder.clone(), host, source }.into()
        }
        _ => EngineError::Unreachable(source),
    }
}

/// Connects and disconnects.
async fn touch(host: &DockerHost) -> Result<(), NotReached> {
    match host {
        DockerHost::Socket(path) => UnixStream::connect(path).await.map(drop).map_err(|error| explain(path, error)),
        DockerHost::Network { address, .. } => TcpStream::connect(address.as_str())
            .await
            .map(drop)
            .map_err(|source| NotReached::NotConnected { host: host.clone(), source }),
    }
}

fn explain(path: &Path, source: io::Error) -> NotReached {
    let path = path.to_owned();
    let is_socket = || std::fs::metadata(&path).is_ok_and(|metadata| metadata.file_type().is_socket());
    match source.kind() {
        ErrorKind::NotFound => NotReached::NoSocket { hint: hint(&path), path },
        ErrorKind::PermissionDenied => NotReached::NotAllowed { path },
        ErrorKind::NotADirectory => NotReached::NotASocket { path },
        ErrorKind::ConnectionRefused if is_socket() => NotReached::NotListening { path },
        ErrorKind::ConnectionRefused => NotReached::NotASocket { path },
        _ => NotReached::NotConnected { host: DockerHost::Socket(path), source },
    }
}

/// Where an engine listens instead, if that can be seen: at another usual place, or where `docker context` points.
fn hint(missing: &Path) -> String {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .map_or_else(|| PathBuf::from(format!("/run/user/{}", rustix::process::getuid().as_raw())), PathBuf::from);
    let mut places = vec![PathBuf::from("/var/run/docker.sock"), runtime.join("docker.sock")];
    places.extend(
        home.iter().flat_map(|home| [home.join(".docker/run/docker.sock"), home.join(".docker/desktop/docker.sock")]),
    );
    places.extend([runtime.join("podman/podman.sock"), PathBuf::from("/run/podman/podman.sock")]);
    if let Some(found) = places.iter().find(|place| place.as_path() != missing && place.exists()) {
        return format!(", which may be unix://{}", found.display());
    }
    let config = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from).or(home.map(|home| home.join(".docker")));
    let text = config.and_then(|folder| std::fs::read_to_string(folder.join("config.json")).ok()).unwrap_or_default();
    match serde_json::from_str::<serde_json::Value>(&text)
        .ok()
        .as_ref()
        .and_then(|config| config["currentContext"].as_str())
    {
        Some(context) if context != "default" => {
            format!("; contexts of docker are not read here, so look it up with docker context inspect {context}")
        }
        _ => String::new(),
    }
}

impl Docker {
    /// Connects to the engine, and creates the network of agents where the configuration names none.
    ///
    /// # Errors
    /// When it does not respond.
    pub async fn connect(config: ContainerConfig) -> Result<Self, EngineError> {
        let engine = Self { client: connect(&config).await?, config };
        engine.require_network().await?;
        Ok(engine)
    }
}
