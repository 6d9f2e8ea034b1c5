//! What `DOCKER_HOST` and its TLS variables say: where the engine listens, or what to write instead. Without any IO but
//! the question whether a file exists.

use std::path::{Path, PathBuf};

/// The ports at which engines listen without and with TLS, where the address names none.
const PLAIN_PORT: u16 = 2375;
const TLS_PORT: u16 = 2376;
/// What to write for the usual socket.
const USUAL: &str = "unix:///var/run/docker.sock";

/// Where the engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DockerHost {
    /// At a socket of this machine.
    Socket(PathBuf),
    /// At an address of the network.
    Network {
        /// Host and port.
        address: String,
        /// The certificates, where it is reached with TLS.
        tls: Option<Certificates>,
    },
}

/// The folder with the files that TLS needs, named as `docker` itself names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// The folder (`DOCKER_CERT_PATH`).
    pub folder: PathBuf,
}

impl Certificates {
    /// The certificate of the authority that signed the engine's.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The certificate of this client.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("cert.pem")
    }

    /// The key of this client.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.folder.join("key.pem")
    }
}

impl std::fmt::Display for DockerHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix://{}", path.display()),
            Self::Network { address, tls } => {
                write!(f, "tcp://{address}{}", if tls.is_some() { " (with TLS)" } else { "" })
            }
        }
    }
}

/// The variables that say how TLS is used, as `docker` itself reads them.
#[derive(Clone, Copy, Debug, Default)]
pub struct TlsOptions<'a> {
    /// `DOCKER_TLS_VERIFY`: any text means yes.
    pub verify: &'a str,
    /// `DOCKER_CERT_PATH`.
    pub folder: &'a str,
    /// The folder that is meant where `DOCKER_CERT_PATH` is empty.
    pub default_folder: Option<&'a Path>,
}

impl DockerHost {
    /// Parses `DOCKER_HOST`; `text` is not empty.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to write instead.
    pub fn parse(text: &str, tls: TlsOptions<'_>) -> Result<Self, String> {
        let wrong = |why: String| Err(format!("DOCKER_HOST is '{text}', {why}"));
        if text.starts_with('/') || text.starts_with("./") || text.starts_with('~') {
            return wrong(format!("a path without a scheme; set it to {}", as_socket(text)));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return wrong(match text.split_once(':') {
                Some(("unix", path)) => format!("which lacks the two slashes; set it to {}", as_socket(path)),
                Some((_, port)) if port.parse::<u16>().is_ok() => {
                    format!("an address without a scheme; set it to tcp://{text}")
                }
                _ => format!("which has no scheme; set it to {USUAL} or tcp://HOST:PORT"),
            });
        };
        match scheme {
            "unix" => match rest {
                "" => wrong(format!("which names no path; set it to {USUAL}")),
                path if path.starts_with('/') => Ok(Self::Socket(PathBuf::from(path))),
                path => wrong(format!("whose path is not absolute; set it to {}", as_socket(path))),
            },
            "tcp" | "http" => Self::network(text, rest, !tls.verify.trim().is_empty(), tls),
            "https" => Self::network(text, rest, true, tls),
            "ssh" => wrong(format!(
                "and engines are not reached through ssh here; run the coordinator on that machine, or forward its socket (ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock {}) and set DOCKER_HOST to unix:///tmp/docker.sock",
                rest.split('/').next().unwrap_or_default()
            )),
            "npipe" => wrong(format!("a pipe of Windows, where the coordinator does not run; set it to {USUAL}")),
            "fd" => wrong(format!("which only dockerd itself understands; set it to {USUAL}")),
            other => wrong(format!("whose scheme {other}:// is not supported; set it to {USUAL} or tcp://HOST:PORT")),
        }
    }

    fn network(text: &str, rest: &str, with_tls: bool, tls: TlsOptions<'_>) -> Result<Self, String> {
        let address = rest.strip_suffix('/').unwrap_or(rest);
        let url = url::Url::parse(&format!("tcp://{address}")).ok().filter(|url| {
            url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && matches!(url.path(), "" | "/")
                && url.query().is_none()
        });
        let Some((url, host)) = url.as_ref().and_then(|url| Some((url, url.host_str()?))) else {
            return Err(format!("DOCKER_HOST is '{text}', which is not an address; set it to tcp://HOST:PORT"));
        };
        let port = url.port().unwrap_or(if with_tls { TLS_PORT } else { PLAIN_PORT });
        let address = format!("{host}:{port}");
        if !with_tls {
            return Ok(Self::Network { address, tls: None });
        }
        let given = Some(tls.folder.trim()).filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let Some(folder) = given.or_else(|| tls.default_folder.map(Path::to_owned)) else {
            return Err(
                "the Docker engine is reached with TLS, but there is no home directory for its certificates; set DOCKER_CERT_PATH to their folder".to_owned(),
            );
        };
        let tls = Certificates { folder };
        match [tls.authority(), tls.certificate(), tls.key()].iter().find(|file| std::fs::File::open(file).is_err()) {
            Some(missing) => Err(format!(
                "the Docker engine is reached with TLS, but {} can't be read; set DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem",
                missing.display()
            )),
            None => Ok(Self::Network { address, tls: Some(tls) }),
        }
    }
}

/// A path as `DOCKER_HOST` wants it.
fn as_socket(path: &str) -> String {
    if path.starts_with('/') { format!("unix://{path}") } else { format!("{USUAL}, with an absolute path") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DockerHost, String> {
        DockerHost::parse(text, TlsOptions::default())
    }

    #[test]
    fn what_is_supported_is_read() {
        let socket = |path: &str| Ok(DockerHost::Socket(PathBuf::from(path)));
        let network = |address: &str| Ok(DockerHost::Network { address: address.to_owned(), tls: None });
        assert_eq!(parse("unix:///var/run/docker.sock"), socket("/var/run/docker.sock"));
        assert_eq!(parse("unix:///run/user/1000/docker.sock"), socket("/run/user/1000/docker.sock"));
        assert_eq!(parse("tcp://127.0.0.1:1234"), network("127.0.0.1:1234"));
        assert_eq!(parse("tcp://engine"), network("engine:2375"));
        assert_eq!(parse("tcp://[::1]:99/"), network("[::1]:99"));
        assert_eq!(parse("http://engine:2375"), network("engine:2375"));
    }

    #[test]
    fn what_is_not_supported_is_refused_with_what_to_write_instead() {
        for (text, instead) in [
            ("/var/run/docker.sock", "set it to unix:///var/run/docker.sock"),
            ("./docker.sock", "set it to unix:///var/run/docker.sock, with an absolute path"),
            ("unix:/run/docker.sock", "set it to unix:///run/docker.sock"),
            ("unix://", "set it to unix:///var/run/docker.sock"),
            ("unix://docker.sock", "set it to unix:///var/run/docker.sock, with an absolute path"),
            ("ssh://me@build.example/run/docker.sock", "docker.sock me@build.example) and set DOCKER_HOST to unix:///"),
            ("npipe:////./pipe/docker_engine", "Windows"),
            ("fd://", "dockerd"),
            ("build.example:2375", "set it to tcp://build.example:2375"),
            ("docker", "has no scheme"),
            ("ftp://build.example", "scheme ftp://"),
            ("tcp://", "set it to tcp://HOST:PORT"),
            ("tcp://host:port", "set it to tcp://HOST:PORT"),
            ("tcp://host:70000", "set it to tcp://HOST:PORT"),
            ("tcp://me@host:1", "set it to tcp://HOST:PORT"),
            ("tcp://host:1/v1.41", "set it to tcp://HOST:PORT"),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.starts_with(&format!("DOCKER_HOST is '{text}', ")) && said.contains(instead), "{said}");
        }
    }

    #[test]
    fn with_tls_the_certificates_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let tls = TlsOptions { verify: "1", folder: path, default_folder: None };
        let said = DockerHost::parse("tcp://engine", tls).unwrap_err();
        assert!(said.contains(&format!("{path}/ca.pem can't be read; set DOCKER_CERT_PATH")), "{said}");
        for file in ["ca.pem", "cert.pem", "key.pem"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let certificates = Certificates { folder: folder.path().to_owned() };
        let expected = DockerHost::Network { address: "engine:2376".to_owned(), tls: Some(certificates) };
        assert_eq!(DockerHost::parse("tcp://engine", tls), Ok(expected.clone()));
        assert_eq!(DockerHost::parse("https://engine", TlsOptions { verify: "", ..tls }), Ok(expected));
    }
}
