//! What the program can do besides serving, with its options.

#![allow(rustdoc::broken_intra_doc_links, rustdoc::bare_urls, reason = "the options' texts are written for --help")]

use clap::{Args, Subcommand};
use secrecy::SecretString;
use std::path::PathBuf;

/// What the program can do besides serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Serve the API (the default).
    Serve,
    /// Print the OpenAPI document and exit.
    Openapi,
    /// Write everything in the database into one file. The API may go on working meanwhile.
    ///
    /// The key that opens the secret settings is not in the file, unless you add it with --with-key.
    Backup(BackupOptions),
    /// Load a backup into an empty database, or with --replace into one that holds data. No API may run on it.
    ///
    /// Everything happens in one transaction: whatever ends it half-way leaves the database as it was. Jobs that ran when
    /// the backup was written are due again, and coordinators that still run them are refused.
    Restore(RestoreOptions),
    /// Say whether the database can be reached, and has what this version needs. The exit status is 1 where it has not.
    CheckDb,
    /// Make an admin, or let someone in who can't sign in. The API may go on working meanwhile.
    #[command(subcommand)]
    Admin(AdminCommand),
    /// See what of a forge's webhooks is set up, here and there, and what is missing.
    #[command(subcommand)]
    Webhooks(WebhooksCommand),
}

/// What can be asked about webhooks.
#[derive(Clone, Debug, Subcommand)]
pub enum WebhooksCommand {
    /// Print what is set up for a project, and what to do about the rest. Changes nothing; the exit status is 1 where
    /// something is missing.
    Check {
        /// The project, by its id or its name.
        #[arg(value_name = "PROJECT")]
        project: String,
    },
}

/// What can be done for people from a shell.
#[derive(Clone, Debug, Subcommand)]
pub enum AdminCommand {
    /// Make someone an admin, and print a link with which the person sets a password.
    Create(AdminCreate),
    /// Print a link with which the person sets a new password.
    Reset(AdminPerson),
    /// Print a link that signs the person in, once.
    Link(AdminPerson),
}

/// Whom to make an admin.
#[derive(Args, Clone, Debug)]
pub struct AdminCreate {
    /// The person's address.
    #[arg(long, value_name = "ADDRESS")]
    pub email: String,
    /// What others call the person [default: what stands before the @].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

/// For whom.
#[derive(Args, Clone, Debug)]
pub struct AdminPerson {
    /// The person's address.
    #[arg(long, value_name = "ADDRESS")]
    pub email: String,
}

/// How to write a backup.
#[derive(Args, Clone, Debug)]
pub struct BackupOptions {
    /// The file to write; - is the standard output.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Replace the file if it exists.
    #[arg(long)]
    pub force: bool,
    /// Put the secret key into the file, encrypted with a passphrase, which is asked for if it is not given.
    #[arg(long)]
    pub with_key: bool,
    /// Where the passphrase comes from.
    #[command(flatten)]
    pub passphrase: PassphraseOptions,
}

/// How to load a backup.
#[derive(Args, Clone, Debug)]
pub struct RestoreOptions {
    /// The file to read; - is the standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Replace what the database holds now. It is lost.
    #[arg(long)]
    pub replace: bool,
    /// Where the passphrase comes from.
    #[command(flatten)]
    pub passphrase: PassphraseOptions,
}

/// Where a passphrase comes from.
#[derive(Args, Clone, Debug)]
pub struct PassphraseOptions {
    /// The passphrase for the secret key in the backup.
    #[arg(long = "passphrase", env = "TERARCHITECT_BACKUP_PASSPHRASE", hide_env_values = true, hide = true)]
    pub passphrase: Option<SecretString>,
    /// A file with the passphrase for the secret key in the backup, in its first line. The variable
    /// TERARCHITECT_BACKUP_PASSPHRASE does the same.
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}
