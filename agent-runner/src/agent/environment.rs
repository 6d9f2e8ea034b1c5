//! The environment that every agent's process gets. Of the runner's environment, only what is named here is passed on.

use super::directories::Directories;
use super::reap::MARKER_VARIABLE;
use std::ffi::OsString;

/// A process's variables, in order; if a name occurs twice, the later value counts.
pub(super) type Variables = Vec<(OsString, OsString)>;

/// What passes from the runner's environment to the agent: nothing that holds a secret of the runner.
const PASSED_ON: &[&str] = &[
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
];

/// Keeps git from prompting, and lets it work in a clone that belongs to the runner's user, which it distrusts by
/// default.
const GIT: &[(&str, &str)] = &[
    ("GIT_CONFIG_COUNT", "1"),
    ("GIT_CONFIG_KEY_0", "safe.directory"),
    ("GIT_CONFIG_VALUE_0", "*"),
    // What this machine's configuration says about git is nothing that a ticket may depend on.
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_PAGER", "cat"),
    ("PAGER", "cat"),
];

/// What is the same for all agents: paths, language, proxies and CA certificates of the runner, the agent's own
/// directories, git, and the mark by which its processes are found. `inherited` looks up the runner's own variables.
pub(super) fn environment(
    directories: &Directories,
    marker: &str,
    inherited: impl Fn(&str) -> Option<OsString>,
) -> Variables {
    let passed_on = PASSED_ON.iter().filter_map(|name| Some(((*name).into(), inherited(name)?)));
    let own = directories.variables().into_iter().map(|(name, value)| (name.into(), value));
    let fixed = GIT.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let mark = [(MARKER_VARIABLE.into(), marker.into())];
    passed_on.chain(own).chain(fixed).chain(mark).collect()
}
