//! What the quickstart needs on one address: the scripted model, and a forge with a sample repository.

use crate::chat::{ChatServer, Script};
use crate::forge::{Forge, Permission};
use anyhow::Context;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;

/// The sample repository's owner and name.
pub const SAMPLE: (&str, &str) = ("demo", "hello");

/// Who reviews the sample repository's pull requests.
const REVIEWER: &str = "ann";

const README: &str = "# Hello\n\nA small sample. It says hello:\n\n    sh hello.sh\n";
const PROGRAM: &str = "#!/bin/sh\necho \"Hello!\"\n";

/// A running demonstration; dropping it stops it.
pub struct Demo {
    /// The scripted model.
    pub chat: ChatServer,
    /// The forge.
    pub forge: Forge,
}

impl Demo {
    /// Starts both, with the repositories that an earlier demonstration left in the directory.
    ///
    /// # Errors
    /// When it can't listen on an address or create the directory, or git fails.
    pub async fn start(addresses: &[SocketAddr], data_dir: &Path, script: Script) -> anyhow::Result<Self> {
        std::fs::create_dir_all(data_dir).with_context(|| format!("could not create {}", data_dir.display()))?;
        let chat = ChatServer::start_on(addresses, script, None).await?;
        let token = token(&data_dir.join("token"))?;
        let any_port: Vec<SocketAddr> = addresses.iter().map(|address| SocketAddr::new(address.ip(), 0)).collect();
        let forge = Forge::start_on(&any_port, &data_dir.join("repositories"), token).await?;
        forge.create_repo(SAMPLE.0, SAMPLE.1, &[("README.md", README), ("hello.sh", PROGRAM)])?;
        forge.account(REVIEWER, Permission::Write);
        Ok(Self { chat, forge })
    }

    /// The addresses and the token, as JSON for scripts.
    #[must_use]
    pub fn describe(&self) -> serde_json::Value {
        json!({
            "chat_url": self.chat.base_url(),
            "forge_url": self.forge.api_url(),
            "api_url": self.forge.api_url(),
            "repo_url": self.forge.git_url(SAMPLE.0, SAMPLE.1),
            "repo_path": self.forge.repo_path(SAMPLE.0, SAMPLE.1),
            "token": self.forge.token(),
            "owner_token": self.forge.owner().token,
            "reviewer_token": self.forge.account(REVIEWER, Permission::Write).token,
            "pid": std::process::id(),
        })
    }
}

/// The forge's token, made once.
fn token(path: &Path) -> anyhow::Result<String> {
    if let Ok(text) = std::fs::read_to_string(path) {
        return Ok(text.trim().to_owned());
    }
    let token = format!("demo-{}", uuid::Uuid::new_v4().simple());
    std::fs::write(path, &token).with_context(|| format!("could not write {}", path.display()))?;
    Ok(token)
}
