//! Which commands prepare a checkout and which verify it, and what must hold when a ticket is done.

use serde::Deserialize;
use std::time::Duration;
use terarchitect_worker_api::ProofTerms;

/// The file of a repository that says how its tickets are verified. It counts as the base branch has it: a ticket's branch may
/// have been written by an agent.
pub const FILE: &str = ".terarchitect.toml";

/// How long one command may take, where nothing else is said.
const SETUP_LIMIT: Duration = Duration::from_secs(15 * 60);
const VERIFICATION_LIMIT: Duration = Duration::from_secs(30 * 60);
/// The longest that one command may take.
const MAX_LIMIT_SEC: u64 = 6 * 3600;
/// How often the verification may fail before the ticket fails.
const ROUNDS: u32 = 3;
const MAX_ROUNDS: u32 = 20;
/// How many commands and acceptance lines there may be, of each kind.
const MAX_ENTRIES: usize = 50;

/// What is asked of a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Shell commands that prepare a checkout.
    pub setup: Vec<String>,
    /// How long each of them may take.
    pub setup_limit: Duration,
    /// The directories that hold all they leave, where it may be kept for other checkouts.
    pub cached: Vec<String>,
    /// Files on which they depend, beside lock files.
    pub cache_key: Vec<String>,
    /// Shell commands that must succeed in a clean checkout.
    pub verification: Vec<String>,
    /// How long each of them may take.
    pub verification_limit: Duration,
    /// How often the verification may fail before the ticket fails.
    pub rounds: u32,
    /// What must hold when the ticket is done.
    pub acceptance: Vec<String>,
}

/// A file that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{FILE} on the base branch can't be used: {problem}")]
pub struct TermsError {
    problem: String,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    acceptance: Vec<String>,
    setup: Setup,
    verification: Verification,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Setup {
    commands: Vec<String>,
    timeout_sec: Option<u64>,
    cache: Vec<String>,
    cache_key: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Verification {
    commands: Vec<String>,
    timeout_sec: Option<u64>,
    rounds: Option<u32>,
}

impl Terms {
    /// What the repository says, if it says anything, with what the API says about the project and the ticket after it. What is
    /// named twice counts once.
    ///
    /// # Errors
    /// When the repository's file is not what this program reads.
    pub fn of(given: &ProofTerms, file: Option<&str>) -> Result<Self, TermsError> {
        let file: File = file
            .map(toml::from_str)
            .transpose()
            .map_err(|error: toml::de::Error| TermsError {
                // Its own text shows the line with a mark below it, on lines of their own.
                problem: error.to_string().split_whitespace().collect::<Vec<_>>().join(" "),
            })?
            .unwrap_or_default();
        let (setup, verification) = (file.setup, file.verification);
        let limit = |seconds: Option<u64>, name: &str, standard: Duration| match seconds {
            None => Ok(standard),
            Some(seconds @ 1..=MAX_LIMIT_SEC) => Ok(Duration::from_secs(seconds)),
            Some(seconds) => {
                Err(wrong(format!("{name}.timeout_sec is {seconds}, and must be between 1 and {MAX_LIMIT_SEC}")))
            }
        };
        let terms = Self {
            setup_limit: limit(setup.timeout_sec, "setup", SETUP_LIMIT)?,
            verification_limit: limit(verification.timeout_sec, "verification", VERIFICATION_LIMIT)?,
            rounds: match verification.rounds {
                None => ROUNDS,
                Some(rounds @ 1..=MAX_ROUNDS) => rounds,
                Some(rounds) => {
                    return Err(wrong(format!(
                        "verification.rounds is {rounds}, and must be between 1 and {MAX_ROUNDS}"
                    )));
                }
            },
            cached: all(setup.cache, &[]),
            cache_key: all(setup.cache_key, &[]),
            setup: all(setup.commands, &given.setup),
            verification: all(verification.commands, &given.verification),
            acceptance: all(file.acceptance, &given.acceptance),
        };
        for path in &terms.cached {
            if !is_inside(path) {
                return Err(wrong(format!(
                    "setup.cache has '{path}', which is not a directory inside of the repository"
                )));
            }
        }
        for (name, entries) in [
            ("setup", &terms.setup),
            ("verification", &terms.verification),
            ("acceptance", &terms.acceptance),
            ("setup.cache", &terms.cached),
            ("setup.cache_key", &terms.cache_key),
        ] {
            if entries.len() > MAX_ENTRIES {
                return Err(wrong(format!("{name} has {} entries; {MAX_ENTRIES} are possible", entries.len())));
            }
        }
        Ok(terms)
    }
}

/// Whether a path is below the root, written plainly, and none of git's own.
fn is_inside(path: &str) -> bool {
    let parts = || path.split('/');
    !path.starts_with('-')
        && !path.chars().any(char::is_control)
        && parts().all(|part| !matches!(part, "" | "." | ".."))
        && !parts().any(|part| part.eq_ignore_ascii_case(".git"))
}

fn wrong(problem: String) -> TermsError {
    TermsError { problem }
}

/// Both, in their order, each once, without blank ones.
fn all(first: Vec<String>, then: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for entry in first.into_iter().chain(then.iter().cloned()) {
        let entry = entry.trim().to_owned();
        if !entry.is_empty() && !all.contains(&entry) {
            all.push(entry);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(verification: &[&str]) -> ProofTerms {
        ProofTerms { verification: verification.iter().map(|&line| line.to_owned()).collect(), ..ProofTerms::default() }
    }

    #[test]
    fn the_repository_s_commands_come_first_and_nothing_runs_twice() {
        let file = "acceptance = [\"It greets.\"]\n[setup]\ncommands = [\"npm ci\"]\n[verification]\ncommands = [\"npm test\", \" \"]\ntimeout_sec = 60\nrounds = 2\n";
        let terms = Terms::of(&given(&["npm test ", "npm run lint"]), Some(file)).unwrap();
        assert_eq!(terms.verification, ["npm test", "npm run lint"]);
        assert_eq!((terms.setup.as_slice(), terms.rounds), (["npm ci".to_owned()].as_slice(), 2));
        assert_eq!((terms.verification_limit, terms.setup_limit), (Duration::from_secs(60), SETUP_LIMIT));
        assert_eq!(terms.acceptance, ["It greets."]);
    }

    #[test]
    fn without_a_file_only_what_the_api_says_counts() {
        let terms = Terms::of(&given(&["make check"]), None).unwrap();
        assert_eq!((terms.verification.as_slice(), terms.rounds), (["make check".to_owned()].as_slice(), ROUNDS));
        assert!(Terms::of(&ProofTerms::default(), Some("")).unwrap().verification.is_empty());
    }

    #[test]
    fn a_file_that_is_wrong_is_an_error_that_says_where() {
        for (file, said) in [
            ("[verification]\ncommand = [\"x\"]\n", "command"),
            ("[verification]\ncommands = \"x\"\n", "line 2"),
            ("[verification\n", "line 1"),
            ("[verification]\nrounds = 0\n", "verification.rounds is 0"),
            ("[setup]\ntimeout_sec = 0\n", "setup.timeout_sec is 0"),
            ("[setup]\ncache = [\"../x\"]\n", "setup.cache has '../x'"),
            ("[setup]\ncache = [\"/etc\"]\n", "setup.cache has '/etc'"),
            ("[setup]\ncache = [\".git/hooks\"]\n", "setup.cache has '.git/hooks'"),
        ] {
            let error = Terms::of(&ProofTerms::default(), Some(file)).unwrap_err().to_string();
            assert!(error.starts_with(FILE) && error.contains(said) && !error.contains('\n'), "{error}");
        }
    }
}
