//! The environment that every agent's process gets. Of the runner's environment, only what is named here is passed on.

use super::directories::Directories;
use super::reap::MARKER_VARIABLE;
use secrecy::{ExposeSecret, SecretString};
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
    let direct = without_proxy(&inherited).into_iter().flatten();
    let own = directories.variables().into_iter().map(|(name, value)| (name.into(), value));
    let fixed = GIT.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let mark = [(MARKER_VARIABLE.into(), marker.into())];
    passed_on.chain(direct).chain(own).chain(fixed).chain(mark).collect()
}

/// Secrets of the project as variables. They come before all others, so that one takes no other's place.
pub(super) fn secret_variables(secrets: &[(String, SecretString)]) -> Variables {
    secrets.iter().map(|(name, value)| (name.into(), value.expose_secret().into())).collect()
}

/// The models' gateway is at this machine's loopback address, which no proxy leads to.
fn without_proxy(inherited: impl Fn(&str) -> Option<OsString>) -> Option<[(OsString, OsString); 2]> {
    let is_used = PASSED_ON.iter().any(|name| {
        name.to_ascii_lowercase().ends_with("_proxy")
            && !name.eq_ignore_ascii_case("no_proxy")
            && inherited(name).is_some()
    });
    if !is_used {
        return None;
    }
    let mut list = inherited("NO_PROXY").or_else(|| inherited("no_proxy")).unwrap_or_default();
    if !list.is_empty() {
        list.push(",");
    }
    list.push("127.0.0.1,localhost");
    Some([("NO_PROXY".into(), list.clone()), ("no_proxy".into(), list)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_leads_to_the_gateway() {
        let of = |variables: &'static [(&str, &str)]| {
            without_proxy(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
                .map(|[(_, list), _]| list.into_string().unwrap())
        };
        assert_eq!(of(&[("NO_PROXY", "intern.example")]), None);
        assert_eq!(of(&[("HTTPS_PROXY", "http://proxy:3128")]).as_deref(), Some("127.0.0.1,localhost"));
        let both = of(&[("http_proxy", "http://proxy:3128"), ("no_proxy", "intern.example")]);
        assert_eq!(both.as_deref(), Some("intern.example,127.0.0.1,localhost"));
    }
}
