//! The proxies that jobs get: the coordinator's own, unless a setting says otherwise.
//!
//! Docker does the same with the proxies of its client. A container gets each variable in both cases, since programs
//! differ in which they read.

use secrecy::SecretString;
use std::fmt;
use terarchitect_outbound::{Proxies, http_url, is_loopback};
use url::Url;

/// What is in a container's own network, where no proxy leads.
const OF_ITSELF: &str = "localhost,127.0.0.1,::1";

/// A setting as it was given: none takes over the coordinator's own variable, and an empty one means no proxy.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProxyOptions<'a> {
    /// `AGENT_HTTPS_PROXY`.
    pub https: Option<&'a str>,
    /// `AGENT_HTTP_PROXY`.
    pub http: Option<&'a str>,
    /// `AGENT_NO_PROXY`.
    pub direct: Option<&'a str>,
}

/// The proxies of jobs.
#[derive(Clone, Debug, Default)]
pub struct JobProxies {
    https: Option<JobProxy>,
    http: Option<JobProxy>,
    direct: String,
    not_taken_over: Vec<String>,
}

/// One proxy, and the variable that it comes from.
#[derive(Clone, PartialEq, Eq)]
pub struct JobProxy {
    variable: &'static str,
    url: Url,
}

/// The address may contain a password.
impl fmt::Debug for JobProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobProxy").field("variable", &self.variable).finish_non_exhaustive()
    }
}

impl JobProxies {
    /// Reads the settings; `variable` reads the coordinator's own environment.
    ///
    /// # Errors
    /// A sentence for each setting that is not the address of an HTTP proxy. The same in a variable of the coordinator, which
    /// other programs may understand, is only left out.
    pub fn parse(options: ProxyOptions<'_>, variable: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        let (mut problems, mut proxies) = (Vec::new(), Self::default());
        let own = |name: &'static str| {
            let given = |name: &str| variable(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
            given(&name.to_ascii_lowercase()).or_else(|| given(name)).map(|text| (name, text))
        };
        let mut read = |setting: &'static str, given: Option<&str>, name: &'static str| {
            if let Some(text) = given {
                return Some(text.trim()).filter(|text| !text.is_empty()).and_then(|text| {
                    let proxy = JobProxy::parse(setting, text);
                    if proxy.is_none() {
                        problems.push(format!(
                            "{setting} is not the address of an HTTP proxy; set it to one such as http://proxy:3128, or to nothing for none"
                        ));
                    }
                    proxy
                });
            }
            let (name, text) = own(name).or_else(|| own("ALL_PROXY"))?;
            let proxy = JobProxy::parse(name, &text);
            if proxy.is_none() {
                let sentence = format!(
                    "{name} is not the address of an HTTP proxy, and git knows no others, so jobs do without; set {setting} to one such as http://proxy:3128, or to nothing"
                );
                proxies.not_taken_over.push(sentence);
            }
            proxy
        };
        proxies.https = read("AGENT_HTTPS_PROXY", options.https, "HTTPS_PROXY");
        proxies.http = read("AGENT_HTTP_PROXY", options.http, "HTTP_PROXY");
        let direct = options.direct.map(str::to_owned).or_else(|| own("NO_PROXY").map(|(_, text)| text));
        direct.unwrap_or_default().trim().clone_into(&mut proxies.direct);
        if problems.is_empty() { Ok(proxies) } else { Err(problems) }
    }

    /// The variables for a job. In a container, `host` is the name of this machine; a job without one has none.
    #[must_use]
    pub fn variables(&self, host: Option<&str>) -> Vec<(String, String)> {
        let named = [("HTTPS_PROXY", &self.https), ("HTTP_PROXY", &self.http)];
        let mut variables: Vec<(&str, String)> =
            named.iter().filter_map(|(name, proxy)| Some((*name, proxy.as_ref()?.address(host)))).collect();
        if !variables.is_empty() {
            let entries = [Some(self.direct.as_str()), Some(OF_ITSELF), host];
            let entries: Vec<&str> = entries.into_iter().flatten().filter(|entry| !entry.is_empty()).collect();
            variables.push(("NO_PROXY", entries.join(",")));
        }
        let both =
            |(name, value): (&str, String)| [(name.to_ascii_lowercase(), value.clone()), (name.to_owned(), value)];
        variables.into_iter().flat_map(both).collect()
    }

    /// Each address of a proxy once, for a check.
    pub fn each(&self) -> impl Iterator<Item = &JobProxy> {
        let again = |proxy: &&JobProxy| self.https.as_ref().is_none_or(|https| https.url != proxy.url);
        self.https.iter().chain(self.http.iter().filter(again))
    }

    /// A sentence for each of the coordinator's own proxies that jobs do not get.
    #[must_use]
    pub fn not_taken_over(&self) -> &[String] {
        &self.not_taken_over
    }

    /// What is secret about them.
    #[must_use]
    pub fn secrets(&self) -> Vec<SecretString> {
        let variables = self.variables(None);
        Proxies::from_variables(|name| {
            variables.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
        })
        .secrets()
    }
}

impl JobProxy {
    fn parse(variable: &'static str, text: &str) -> Option<Self> {
        let url = if text.contains("://") { http_url(text) } else { http_url(&format!("http://{text}")) };
        url.ok().map(|url| Self { variable, url })
    }

    /// The variable that names it.
    #[must_use]
    pub fn variable(&self) -> &'static str {
        self.variable
    }

    /// Whether it listens on this machine's loopback, which no container reaches.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// Host and port as a container has them, where this machine is called `host`.
    #[must_use]
    pub fn host_and_port(&self, host: &str) -> (String, u16) {
        let name = if self.is_loopback() { host } else { self.url.host_str().unwrap_or(host) };
        // An address with a scheme of HTTP always has a port.
        (name.to_owned(), self.url.port_or_known_default().unwrap_or(80))
    }

    /// The address with user and password. The port is always in it: without one, programs disagree on which is meant.
    fn address(&self, host: Option<&str>) -> String {
        let (host, port) = self.host_and_port(host.unwrap_or_else(|| self.url.host_str().unwrap_or_default()));
        let user = match (self.url.username(), self.url.password()) {
            ("", None) => String::new(),
            (user, None) => format!("{user}@"),
            (user, Some(password)) => format!("{user}:{password}@"),
        };
        format!("{}://{user}{host}:{port}", self.url.scheme())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use terarchitect_outbound::Mask;

    const HOST: Option<&str> = Some("host.docker.internal");

    fn parse(options: ProxyOptions<'_>, own: &[(&str, &str)]) -> Result<JobProxies, Vec<String>> {
        JobProxies::parse(options, |name| own.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    fn variables(options: ProxyOptions<'_>, own: &[(&str, &str)]) -> BTreeMap<String, String> {
        parse(options, own).unwrap().variables(HOST).into_iter().collect()
    }

    #[test]
    fn the_coordinators_own_proxies_are_taken_over_in_both_cases() {
        let own = [("https_proxy", "http://ann:secret@proxy.example:3128/"), ("HTTP_PROXY", "plain.example:8080")];
        let own = [&own[..], &[("NO_PROXY", "intranet.example")]].concat();
        let got = variables(ProxyOptions::default(), &own);
        for name in ["HTTPS_PROXY", "https_proxy"] {
            assert_eq!(got[name], "http://ann:secret@proxy.example:3128");
        }
        assert_eq!((got["http_proxy"].as_str(), got.len()), ("http://plain.example:8080", 6));
        assert_eq!(got["no_proxy"], "intranet.example,localhost,127.0.0.1,::1,host.docker.internal");
        assert_eq!(variables(ProxyOptions::default(), &[("ALL_PROXY", "p:1")])["HTTPS_PROXY"], "http://p:1");
        assert_eq!(variables(ProxyOptions::default(), &[("NO_PROXY", "a"), ("HTTPS_PROXY", " ")]), BTreeMap::new());
    }

    #[test]
    fn a_setting_counts_more_and_an_empty_one_means_none() {
        let own = [("HTTPS_PROXY", "http://own:1"), ("HTTP_PROXY", "http://own:1"), ("NO_PROXY", "own.example")];
        let settings = ProxyOptions { https: Some("http://other:2"), http: Some(" "), direct: Some("other.example") };
        let got = variables(settings, &own);
        assert_eq!((got["HTTPS_PROXY"].as_str(), got.get("http_proxy")), ("http://other:2", None));
        assert!(got["NO_PROXY"].starts_with("other.example,localhost"), "{got:?}");
    }

    #[test]
    fn a_proxy_on_this_machine_has_another_name_in_a_container() {
        for (given, inside) in [
            ("http://127.0.0.1:3128", "http://host.docker.internal:3128"),
            ("localhost:80", "http://host.docker.internal:80"),
            ("https://u:p@[::1]:443", "https://u:p@host.docker.internal:443"),
            ("http://10.0.0.1:3128", "http://10.0.0.1:3128"),
        ] {
            let proxies = parse(ProxyOptions::default(), &[("HTTPS_PROXY", given)]).unwrap();
            assert_eq!(proxies.variables(HOST)[1].1, inside);
            assert_eq!(proxies.each().next().unwrap().is_loopback(), inside.contains("docker.internal"));
            // A local job is on this machine itself.
            assert!(!proxies.variables(None).iter().any(|(_, value)| value.contains("docker.internal")), "{given}");
        }
    }

    #[test]
    fn a_proxy_that_git_does_not_know_is_an_error_only_where_it_is_meant_for_jobs() {
        let proxies = parse(ProxyOptions::default(), &[("ALL_PROXY", "socks5h://127.0.0.1:1080")]).unwrap();
        assert!(proxies.variables(HOST).is_empty());
        let said = proxies.not_taken_over();
        assert!(said[0].starts_with("ALL_PROXY is not") && said[1].contains("AGENT_HTTP_PROXY"), "{said:?}");
        let settings = ProxyOptions { https: Some("socks5://u:hunter2@proxy:1"), ..ProxyOptions::default() };
        let problems = parse(settings, &[]).unwrap_err();
        assert!(problems.len() == 1 && !problems[0].contains("hunter2"), "{problems:?}");
    }

    #[test]
    fn passwords_are_shown_nowhere() {
        let own = [("HTTPS_PROXY", "http://ann:hunter2@proxy:1"), ("HTTP_PROXY", "http://ann:hunter2@proxy:1")];
        let proxies = parse(ProxyOptions::default(), &own).unwrap();
        assert!(!format!("{proxies:?}").contains("hunter2"));
        assert_eq!(Mask::new(&proxies.secrets()).apply("hunter2"), "[secret]");
        assert_eq!(proxies.each().count(), 1, "the same proxy twice");
    }
}
