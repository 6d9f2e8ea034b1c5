//! Which commands would verify a repository, by the build files at its root. They are proposed to people and never run unasked; none of
//! their words are the repository's, so that it can't have a command of its own proposed.

use serde_json::Value;
use terarchitect_worker_api::ProofTerms;

/// What to propose for a repository with these files and folders at its root; empty where nothing usual is found. `read` returns a
/// file's text.
pub fn proposed(root: &[String], read: impl Fn(&str) -> Option<String>) -> ProofTerms {
    let found = Root { names: root, read: &read };
    let mut terms = ProofTerms::default();
    for (setup, verification) in [
        found.cargo(),
        found.node(),
        found.python(),
        found.go(),
        found.jvm(),
        found.ruby(),
        found.php(),
        found.dotnet(),
        found.elixir(),
    ]
    .into_iter()
    .flatten()
    {
        terms.setup.extend(setup.map(str::to_owned));
        terms.verification.push(verification.to_owned());
    }
    if terms.verification.is_empty() && found.makes_test() {
        terms.verification.push("make test".to_owned());
    }
    terms
}

/// Of one ecosystem: what prepares a checkout, if anything has to, and what verifies it.
type Commands = Option<(Option<&'static str>, &'static str)>;

struct Root<'a> {
    names: &'a [String],
    read: &'a dyn Fn(&str) -> Option<String>,
}

impl Root<'_> {
    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|found| found == name)
    }

    fn has_ending(&self, ending: &str) -> bool {
        self.names.iter().any(|found| found.ends_with(ending))
    }

    /// Whether one of these files says a word.
    fn says(&self, files: &[&str], word: &str) -> bool {
        files.iter().any(|file| self.text(file).contains(word))
    }

    fn text(&self, file: &str) -> String {
        if self.has(file) { (self.read)(file).unwrap_or_default() } else { String::new() }
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_str(&self.text(file)).unwrap_or_default()
    }

    fn cargo(&self) -> Commands {
        self.has("Cargo.toml").then_some((None, "cargo test"))
    }

    fn node(&self) -> Commands {
        let package = self.json("package.json");
        let script = package["scripts"]["test"].as_str().unwrap_or_default();
        // What `npm init` writes, which always fails.
        if script.trim().is_empty() || script.contains("no test specified") {
            return None;
        }
        let manager = package["packageManager"].as_str().unwrap_or_default();
        Some(if self.has("pnpm-lock.yaml") || manager.starts_with("pnpm@") {
            (Some("pnpm install --frozen-lockfile"), "pnpm test")
        } else if self.has("yarn.lock") || manager.starts_with("yarn@") {
            let first = !self.has(".yarnrc.yml");
            (Some(if first { "yarn install --frozen-lockfile" } else { "yarn install --immutable" }), "yarn test")
        } else if self.has("bun.lock") || self.has("bun.lockb") {
            (Some("bun install --frozen-lockfile"), "bun run test")
        } else if self.has("package-lock.json") || self.has("npm-shrinkwrap.json") {
            (Some("npm ci"), "npm test")
        } else {
            (Some("npm install --no-package-lock"), "npm test")
        })
    }

    fn python(&self) -> Commands {
        let files = ["pyproject.toml", "setup.cfg", "tox.ini", "requirements.txt", "requirements-dev.txt"];
        if self.has("tox.ini") {
            return Some((None, "tox"));
        }
        let tested = self.has("pytest.ini") || self.has("conftest.py") || self.says(&files, "pytest");
        if !tested {
            return None;
        }
        Some(if self.has("uv.lock") {
            (Some("uv sync --frozen"), "uv run pytest")
        } else if self.has("poetry.lock") {
            (Some("poetry install"), "poetry run pytest")
        } else if self.has("requirements-dev.txt") {
            (Some("pip install -r requirements-dev.txt"), "python -m pytest")
        } else if self.has("requirements.txt") {
            (Some("pip install -r requirements.txt"), "python -m pytest")
        } else {
            (None, "python -m pytest")
        })
    }

    fn go(&self) -> Commands {
        self.has("go.mod").then_some((None, "go test ./..."))
    }

    fn jvm(&self) -> Commands {
        let gradle = self.has("build.gradle") || self.has("build.gradle.kts");
        match (self.has("pom.xml"), gradle) {
            (true, _) if self.has("mvnw") => Some((None, "./mvnw -B verify")),
            (true, _) => Some((None, "mvn -B verify")),
            (_, true) if self.has("gradlew") => Some((None, "./gradlew test")),
            (_, true) => Some((None, "gradle test")),
            _ => None,
        }
    }

    fn ruby(&self) -> Commands {
        if !self.has("Gemfile") {
            return None;
        }
        let setup = Some("bundle install");
        if self.has(".rspec") || self.has("spec") && self.says(&["Gemfile"], "rspec") {
            return Some((setup, "bundle exec rspec"));
        }
        (self.has("Rakefile") && self.has("test")).then_some((setup, "bundle exec rake test"))
    }

    fn php(&self) -> Commands {
        let setup = Some("composer install");
        if self.json("composer.json")["scripts"].get("test").is_some() {
            return Some((setup, "composer test"));
        }
        let tested = self.has("phpunit.xml") || self.has("phpunit.xml.dist");
        (self.has("composer.json") && tested).then_some((setup, "vendor/bin/phpunit"))
    }

    fn dotnet(&self) -> Commands {
        [".sln", ".slnx", ".csproj", ".fsproj"]
            .iter()
            .any(|ending| self.has_ending(ending))
            .then_some((None, "dotnet test"))
    }

    fn elixir(&self) -> Commands {
        self.has("mix.exs").then_some((Some("mix deps.get"), "mix test"))
    }

    fn makes_test(&self) -> bool {
        ["Makefile", "makefile", "GNUmakefile"]
            .iter()
            .any(|file| self.text(file).lines().any(|line| line.starts_with("test:") && !line.starts_with("test:=")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is proposed for files with these texts: setup, then verification.
    fn of(files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let names: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        let read = |wanted: &str| files.iter().find(|(name, _)| *name == wanted).map(|(_, text)| (*text).to_owned());
        let terms = proposed(&names, read);
        assert!(terms.acceptance.is_empty());
        (terms.setup, terms.verification)
    }

    #[test]
    fn each_usual_ecosystem_has_its_commands() {
        let npm = ("package.json", r#"{"scripts": {"test": "vitest run"}}"#);
        for (files, setup, verification) in [
            (vec![("Cargo.toml", "")], "", "cargo test"),
            (vec![npm, ("package-lock.json", "")], "npm ci", "npm test"),
            (vec![npm], "npm install --no-package-lock", "npm test"),
            (vec![npm, ("pnpm-lock.yaml", "")], "pnpm install --frozen-lockfile", "pnpm test"),
            (vec![npm, ("yarn.lock", "")], "yarn install --frozen-lockfile", "yarn test"),
            (vec![npm, ("yarn.lock", ""), (".yarnrc.yml", "")], "yarn install --immutable", "yarn test"),
            (
                vec![("pyproject.toml", "[tool.pytest.ini_options]"), ("uv.lock", "")],
                "uv sync --frozen",
                "uv run pytest",
            ),
            (vec![("pyproject.toml", "pytest = 8"), ("poetry.lock", "")], "poetry install", "poetry run pytest"),
            (vec![("requirements.txt", "pytest\n")], "pip install -r requirements.txt", "python -m pytest"),
            (vec![("tox.ini", "")], "", "tox"),
            (vec![("go.mod", "module a")], "", "go test ./..."),
            (vec![("pom.xml", ""), ("mvnw", "")], "", "./mvnw -B verify"),
            (vec![("build.gradle.kts", ""), ("gradlew", "")], "", "./gradlew test"),
            (vec![("Gemfile", "gem 'rspec'"), ("spec", "")], "bundle install", "bundle exec rspec"),
            (vec![("Gemfile", ""), ("Rakefile", ""), ("test", "")], "bundle install", "bundle exec rake test"),
            (vec![("composer.json", r#"{"scripts": {"test": ["phpunit"]}}"#)], "composer install", "composer test"),
            (vec![("composer.json", "{}"), ("phpunit.xml.dist", "")], "composer install", "vendor/bin/phpunit"),
            (vec![("Shop.sln", "")], "", "dotnet test"),
            (vec![("mix.exs", "")], "mix deps.get", "mix test"),
            (vec![("Makefile", "build:\n\tcc x.c\ntest: build\n\t./x\n")], "", "make test"),
        ] {
            let (setups, verifications) = of(&files);
            assert_eq!(
                (setups.join("; ").as_str(), verifications.join("; ").as_str()),
                (setup, verification),
                "{files:?}"
            );
        }
    }

    #[test]
    fn what_has_no_tests_gets_no_proposal() {
        for files in [
            vec![],
            vec![("README.md", "pytest, npm test")],
            vec![("package.json", r#"{"scripts": {"test": "echo \"Error: no test specified\" && exit 1"}}"#)],
            vec![("package.json", r#"{"scripts": {"build": "x"}}"#)],
            vec![("package.json", "not JSON")],
            vec![("requirements.txt", "flask\n")],
            vec![("Makefile", "all:\n\ttest -e x\ntest:=1\n")],
            vec![("Gemfile", "gem 'rails'")],
            vec![("composer.json", "{}")],
        ] {
            assert_eq!(of(&files), (Vec::new(), Vec::new()), "{files:?}");
        }
    }

    #[test]
    fn several_ecosystems_are_proposed_together_and_make_only_alone() {
        let files = [
            ("Cargo.toml", ""),
            ("package.json", r#"{"scripts": {"test": "x; rm -rf /"}}"#),
            ("package-lock.json", ""),
            ("Makefile", "test:\n\tcargo test\n"),
        ];
        let all = (vec!["npm ci".to_owned()], vec!["cargo test".to_owned(), "npm test".to_owned()]);
        assert_eq!(of(&files), all, "the repository's own words are in no command");
    }
}
