//! Reads DATABASE_URL. No error repeats the address, which may hold a password.

use crate::config::ConfigError;
use sqlx::postgres::PgConnectOptions;

/// The options for connections to the database at this address.
///
/// # Errors
/// When it is not such an address, or looks as if its password was not percent-encoded.
pub fn parse(url: &str) -> Result<PgConnectOptions, ConfigError> {
    let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let rest = rest.ok_or(ConfigError::DatabaseUrl)?;
    if is_cut_short(rest) {
        return Err(ConfigError::DatabaseUrlNotEncoded);
    }
    url.parse().map_err(|_| ConfigError::DatabaseUrl)
}

/// Whether a special character ends the user and password too early: then an `@` follows after what counts as the host.
/// `rest` is what follows the scheme.
fn is_cut_short(rest: &str) -> bool {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (path, query) = rest[end..].split_once('?').unwrap_or((&rest[end..], ""));
    // A fragment means nothing in such an address, and values of parameters may contain an @.
    rest.contains('#')
        || path.contains('@')
        || query.split('@').next().is_some_and(|before| before.len() < query.len() && !before.contains('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_with_raw_special_characters_is_told_from_other_mistakes() {
        let encode = |url: &str| matches!(parse(url), Err(ConfigError::DatabaseUrlNotEncoded));
        for password in ["p@ss/w#rd", "w#rd", "a/b", "a?b", "a/b@c", "#", "p@s?s", "/"] {
            for after in ["host/db", "host:5432/db?sslmode=disable", "[::1]/db"] {
                assert!(encode(&format!("postgres://user:{password}@{after}")), "{password} {after}");
            }
        }
        for right in [
            "postgres://user:p%40ss%2Fw%23rd@host/db",
            "postgres://user:p@ss@host/db",
            "postgresql://user:a%3Fb@host:5432/db?application_name=a@b",
            "postgres://user@localhost/db?host=/run/postgresql",
            "postgres:///db",
        ] {
            assert!(parse(right).is_ok(), "{right}");
        }
        for wrong in ["", "mysql://user:a@host/db", "host/db", "postgres://host:port/db"] {
            assert!(matches!(parse(wrong), Err(ConfigError::DatabaseUrl)), "{wrong}");
        }
    }
}
