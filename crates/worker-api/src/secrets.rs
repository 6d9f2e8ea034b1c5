//! Secrets of a project, as runners get them, and which names they may have: both ends judge those by the same rule.

use serde::{Deserialize, Serialize};

/// A secret of the project, for the runner that holds the job's token.
///
/// Its `Debug` does not show the value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobSecret {
    /// The variable that it is in.
    pub name: String,
    /// The value.
    pub value: String,
    /// Whether the agent gets it too, and not the commands of setup and verification alone.
    #[serde(default)]
    pub given_to_agent: bool,
}

impl std::fmt::Debug for JobSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobSecret").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Variables that say how programs start, find their files or reach the network, or that a runner sets itself.
const RESERVED: &[&str] = &[
    "BASHOPTS",
    "BASH_ENV",
    "CDPATH",
    "CI",
    "CLASSPATH",
    "COMMENT_BODY",
    "CURL_CA_BUNDLE",
    "ENV",
    "GCONV_PATH",
    "GITHUB_API_URL",
    "GITHUB_COMMENT_ID",
    "GITHUB_TOKEN",
    "GITHUB_TOKEN_HOST",
    "HOME",
    "HOSTNAME",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "JOB_ID",
    "JOB_KIND",
    "LANG",
    "LANGUAGE",
    "LOCPATH",
    "LOGNAME",
    "LOG_FORMAT",
    "NODE_EXTRA_CA_CERTS",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NO_COLOR",
    "OLDPWD",
    "PAGER",
    "PATH",
    "PERL5LIB",
    "PERL5OPT",
    "PROJECT_ID",
    "PR_NUMBER",
    "PS4",
    "PWD",
    "REPO_URL",
    "REQUESTS_CA_BUNDLE",
    "RUBYLIB",
    "RUBYOPT",
    "SHELL",
    "SHELLOPTS",
    "SHLVL",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TERM",
    "TICKET_ID",
    "TMPDIR",
    "TZ",
    "UNPUSHED_DIR",
    "USER",
    "WORKSPACE_DIR",
    "_",
];

/// What such variables begin with.
const RESERVED_PREFIXES: &[&str] = &[
    "AGENT_",
    "CHECKPOINT_",
    "CURSOR_",
    "DYLD_",
    "FORGE_TOKEN",
    "GIT_",
    "LC_",
    "LD_",
    "OPENCODE_",
    "PYTHON",
    "TERARCHITECT_",
    "WORKER_",
    "XDG_",
];

impl JobSecret {
    /// The longest name, in bytes.
    pub const MAX_NAME_BYTES: usize = 128;

    /// Whether this is the name of a variable: capital letters, digits and underscores, without a digit in front.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let begins = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
        begins && name.len() <= Self::MAX_NAME_BYTES && name.bytes().all(is_part)
    }

    /// Whether a variable of this name means something to the runner, to an agent program, or to how programs start: a secret
    /// in its place would break them.
    #[must_use]
    pub fn is_reserved(name: &str) -> bool {
        RESERVED.contains(&name)
            || name.ends_with("_PROXY")
            || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_a_variable_which_means_nothing_to_the_runner() {
        for name in ["NPM_TOKEN", "_X", "A1", "DATABASE_URL", "LDAP_PASSWORD", "GITLAB_TOKEN", "CIRCLE_TOKEN"] {
            assert!(JobSecret::is_name(name) && !JobSecret::is_reserved(name), "{name}");
        }
        for name in ["", "1A", "a", "A-B", "A B", "A=B", "Ä", "A\n", &"A".repeat(129)] {
            assert!(!JobSecret::is_name(name), "{name}");
        }
        for name in ["PATH", "HOME", "LD_PRELOAD", "GIT_SSH_COMMAND", "HTTPS_PROXY", "WORKER_API_KEY", "NODE_OPTIONS"] {
            assert!(JobSecret::is_reserved(name), "{name}");
        }
    }

    #[test]
    fn a_value_is_not_shown() {
        let secret = JobSecret { name: "NPM_TOKEN".into(), value: "hunter2hunter2".into(), given_to_agent: true };
        let shown = format!("{secret:?}");
        assert!(shown.contains("NPM_TOKEN") && !shown.contains("hunter2"), "{shown}");
    }
}
