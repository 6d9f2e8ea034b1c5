//! The testbed's forge in each dialect, with a repository and a branch, and the seam to it for the bot and for people.

use crate::PATIENCE;
use crate::schema::odd_answers;
use terarchitect_forge::{Credential, Forge, Kind, Method, NewPull, Place, Repository, connect};
use terarchitect_testbed::forge::{Dialect, Forge as LocalForge, Permission};

pub(crate) const README: &str = "# Hello\n\nIt says hello.\n";
/// Comments at three lines in two files, each part of the change.
pub(crate) const LINES: &[(&str, u64, &str)] =
    &[("README.md", 4, "Which program?"), ("greet.sh", 2, "Quote it."), ("greet.sh", 3, "Exit with 2.")];

pub(crate) struct At {
    pub(crate) local: LocalForge,
    pub(crate) bot: Box<dyn Forge>,
}

/// Whatever a test was about: the forge has answered as the forges publish it.
impl Drop for At {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let odd = odd_answers(&self.local);
            assert!(odd.is_empty(), "{:?}: {} odd answers:\n{}", self.dialect(), odd.len(), odd.join("\n"));
        }
    }
}

/// The seam to a local forge.
pub(crate) fn seam(local: &LocalForge, token: &str) -> Box<dyn Forge> {
    let (kind, api) = match local.dialect() {
        Dialect::GitHub => (Kind::GitHub, format!("{}/api/v3", local.api_url())),
        Dialect::GitLab => (Kind::GitLab, local.api_url()),
        Dialect::Gitea => (Kind::Gitea, local.api_url()),
    };
    let api = api.parse().unwrap();
    let credential = Credential::of_api(&api, "the token", token.to_owned().into());
    let repository = Repository { host: None, owner: "demo".into(), name: "hello".into() };
    connect(Place { kind, api, repository }, &credential, PATIENCE).unwrap()
}

impl At {
    /// A repository whose branch `ticket-1` has a change.
    pub(crate) async fn start(dialect: Dialect) -> Self {
        let local = LocalForge::start_as(dialect).await.unwrap();
        local.create_repo("demo", "hello", &[("README.md", README), ("hello.sh", "echo hello\n")]).unwrap();
        let readme = format!("{README}It greets, too.\n");
        let greet = "#!/bin/sh\necho \"Hello, $1!\"\nexit 0\n";
        let files = [("README.md", Some(readme.as_str())), ("greet.sh", Some(greet))];
        local.push("demo", "hello", "ticket-1", &files, "Greet").unwrap();
        let bot = seam(&local, local.token());
        Self { local, bot }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.local.dialect()
    }

    pub(crate) fn new_pull(&self, draft: bool) -> NewPull {
        NewPull { head: "ticket-1".into(), base: "main".into(), title: "Greet".into(), body: "B".into(), draft }
    }

    /// The head of the branch.
    pub(crate) fn head(&self) -> String {
        self.local.git("demo", "hello", &["rev-parse", "ticket-1"]).unwrap().trim().to_owned()
    }

    /// The seam for another account, who may write.
    pub(crate) fn of(&self, login: &str) -> Box<dyn Forge> {
        seam(&self.local, &self.local.account(login, Permission::Write).token)
    }

    /// How its branches are updated: GitLab rebases alone.
    pub(crate) fn update_method(&self) -> Method {
        if self.dialect() == Dialect::GitLab { Method::Rebase } else { Method::Merge }
    }
}

/// With a pull request that is open.
pub(crate) async fn with_pull(dialect: Dialect) -> At {
    let at = At::start(dialect).await;
    assert_eq!(at.bot.open_pull(&at.new_pull(false)).await.unwrap().number, 1);
    at
}

/// All three, each with a pull request that is open.
pub(crate) async fn all() -> Vec<At> {
    let mut all = Vec::new();
    for dialect in Dialect::ALL {
        all.push(with_pull(dialect).await);
    }
    all
}
