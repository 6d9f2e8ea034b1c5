//! What is wrong with the configuration, each a sentence for the terminal.

use std::net::SocketAddr;

/// What is wrong with the configuration, each a sentence for the terminal.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// An address is not valid.
    #[error("TERARCHITECT_LISTEN: '{address}' is not an address with a port, such as 127.0.0.1:5010")]
    Listen {
        /// The address as given.
        address: String,
    },
    /// An origin is not valid.
    #[error(
        "TERARCHITECT_ALLOWED_ORIGINS: '{origin}' is not an origin such as https://board.example: a scheme, a host, maybe a port, and nothing else"
    )]
    AllowedOrigin {
        /// The origin as given.
        origin: String,
    },
    /// The forge's address is not valid.
    #[error("GITHUB_API_URL: '{address}' is not an address such as https://git.example/api/v3")]
    ForgeApi {
        /// The address as given.
        address: String,
    },
    /// The public address is none.
    #[error(
        "TERARCHITECT_PUBLIC_URL: '{url}' is not an address such as https://board.example: http or https, a host, and no query"
    )]
    PublicUrl {
        /// The address as given.
        url: String,
    },
    /// The provider's address is none.
    #[error("TERARCHITECT_OIDC_ISSUER: '{issuer}' is not an address such as https://id.example/realms/team")]
    OidcIssuer {
        /// The address as given.
        issuer: String,
    },
    /// Something that a provider needs is missing.
    #[error("{variable} is not set, and signing in with TERARCHITECT_OIDC_ISSUER needs it")]
    OidcIncomplete {
        /// What is missing.
        variable: &'static str,
    },
    /// A group's role is none.
    #[error(
        "TERARCHITECT_OIDC_ROLES: '{pair}' is not a group and its role, such as devs=member; roles are admin, member and viewer"
    )]
    OidcRoles {
        /// The part as given.
        pair: String,
    },
    /// The address of Cursor's API is not valid.
    #[error("CURSOR_API_URL: '{address}' is not an address such as https://api.cursor.com")]
    CursorApi {
        /// The address as given.
        address: String,
    },
    /// The version of Cursor's API is not known.
    #[error("CURSOR_API_VERSION: '{version}' is not a version that is known; set v0 or v1")]
    CursorVersion {
        /// The version as given.
        version: String,
    },
    /// Cursor would not take the secret.
    #[error("CURSOR_WEBHOOK_SECRET has to have 32 to 256 characters, as Cursor requires")]
    CursorSecret,
    /// The client could not be set up.
    #[error("could not set up the client of Cursor's API ({why})")]
    CursorClient {
        /// Why not.
        why: String,
    },
    /// No address at all.
    #[error("TERARCHITECT_LISTEN is empty; set it to an address with a port, such as 127.0.0.1:5010")]
    NoListen,
    /// An open API would be reachable from elsewhere.
    #[error(
        "refusing to listen on {address}: no key is set and no one can sign in, so anyone who can reach it could read and change everything; set TERARCHITECT_API_KEY and TERARCHITECT_WORKER_API_KEY, or TERARCHITECT_PUBLIC_URL to sign in there, or listen on 127.0.0.1 only"
    )]
    OpenToOthers {
        /// The address.
        address: SocketAddr,
    },
    /// The database's address is not valid.
    #[error("DATABASE_URL is not an address such as postgres://user:password@host/database")]
    DatabaseUrl,
    /// The database's address has special characters where they mean something else.
    #[error(
        "DATABASE_URL can't be read: its user or password contains a special character; write / as %2F, ? as %3F, # as %23, @ as %40 and % as %25"
    )]
    DatabaseUrlNotEncoded,
    /// The mode of encryption is none.
    #[error("DATABASE_URL: sslmode has to be disable, allow, prefer, require, verify-ca or verify-full")]
    DatabaseUrlSslMode,
    /// More than one host is named.
    #[error(
        "DATABASE_URL names several hosts, but the API uses one; name the primary, or an address that always leads to it"
    )]
    DatabaseUrlSeveralHosts,
    /// The folder of a socket stands where a URL has none.
    #[error(
        "DATABASE_URL has no host; the folder of a Unix socket goes to the end, such as postgres:///database?host=/run/postgresql&user=name"
    )]
    DatabaseUrlSocket,
    /// There is no home directory to keep data in.
    #[error("there is no home directory to keep data in; set TERARCHITECT_DATA_DIR")]
    NoDataDir,
}
