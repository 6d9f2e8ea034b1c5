//! The description of a container, from which an engine creates it.

use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where a container finds the host's bundle of CA certificates.
pub const EXTRA_CA_CERTS: &str = "/etc/terarchitect/extra-ca.crt";
/// The prefix of every label.
pub const LABEL_PREFIX: &str = "io.terarchitect.";

/// The label of a container that was started before there was a job for it. Those of its job can't be added.
pub const WARM_LABEL: &str = "io.terarchitect.warm";
/// What its name begins with until it has a job.
pub const WAITS: &str = "terarchitect-warm-";

/// A container to create.
#[derive(Clone, Debug)]
pub struct ContainerSpec {
    /// Its name, the same for every creation of the same attempt.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Its environment variables, without the secrets where those go over standard input.
    pub env: Vec<(String, String)>,
    /// What to write to its standard input.
    pub stdin: Option<SecretString>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The volume to mount at `/cache`.
    pub cache_volume: String,
    /// For a job that runs on this machine itself, without a container: the project's path.
    pub local_path: Option<PathBuf>,
}
