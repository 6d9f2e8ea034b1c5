//! People: their roles, what those allow, and what is checked of what they type.

pub mod audit;
pub mod device_login;
pub mod link;
pub mod rights;
pub mod slowing;
pub mod token;

use crate::domain::refusal::Refusal;
use crate::domain::text;
use crate::domain::words::words;

/// The fewest characters of a password, as NIST SP 800-63B has it for passwords that stand alone.
const MIN_PASSWORD_CHARS: usize = 12;
/// The longest password, in bytes: hashing takes time for each.
const MAX_PASSWORD_BYTES: usize = 1_024;
/// The longest email address, in bytes (RFC 5321).
const MAX_EMAIL_BYTES: usize = 254;

words! {
    /// What someone may do everywhere.
    pub enum Role "role" {
        /// Nothing, apart from projects with a role of their own.
        None = "none",
        /// Read.
        Viewer = "viewer",
        /// Work with tickets and what belongs to a project.
        Member = "member",
        /// Everything, with settings and people.
        Admin = "admin",
    }
}

words! {
    /// What someone may do in one project.
    pub enum ProjectRole "role in a project" {
        /// Read.
        Viewer = "viewer",
        /// Work with tickets and what belongs to the project.
        Member = "member",
    }
}

impl Role {
    /// A role includes those below it.
    #[must_use]
    pub fn includes(self, other: Self) -> bool {
        self as u8 >= other as u8
    }

    /// The lower one of two.
    #[must_use]
    pub fn capped_at(self, other: Self) -> Self {
        if self.includes(other) { other } else { self }
    }
}

impl From<ProjectRole> for Role {
    fn from(role: ProjectRole) -> Self {
        match role {
            ProjectRole::Viewer => Self::Viewer,
            ProjectRole::Member => Self::Member,
        }
    }
}

/// An email address, as accounts are found by it: trimmed, in lower case.
///
/// # Errors
/// When it is none.
pub fn email(text: &str) -> Result<String, Refusal> {
    let email = text.trim().to_lowercase();
    let plain = !email.chars().any(|c| c.is_whitespace() || c.is_control() || ",;<>\"".contains(c));
    let whole =
        email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    if plain && whole && email.len() <= MAX_EMAIL_BYTES {
        return Ok(email);
    }
    Err(Refusal::invalid("'email' must be an email address, such as ada@example.com."))
}

/// A person's name; without one, what stands before the @ of the address.
///
/// # Errors
/// When it is too long.
pub fn name(given: Option<&str>, email: &str) -> Result<String, Refusal> {
    let given = given.map(str::trim).filter(|name| !name.is_empty());
    text::title("name", given.unwrap_or_else(|| email.split('@').next().unwrap_or(email)))
}

/// A new password: long enough to stand alone, and not the account itself.
///
/// # Errors
/// When it is too short, too long, or the email address.
pub fn new_password(password: &str, email: &str) -> Result<(), Refusal> {
    if password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(Refusal::invalid(format!("'password' must have at least {MIN_PASSWORD_CHARS} characters.")));
    }
    if password.len() > MAX_PASSWORD_BYTES {
        return Err(Refusal::invalid(format!("'password' must have at most {MAX_PASSWORD_BYTES} bytes.")));
    }
    if password.eq_ignore_ascii_case(email) {
        return Err(Refusal::invalid("'password' must not be the email address."));
    }
    Ok(())
}

/// Whether this can be a password at all. Longer ones are not even hashed.
#[must_use]
pub fn may_be_a_password(password: &str) -> bool {
    password.len() <= MAX_PASSWORD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_whatever_their_case() {
        assert_eq!(email(" Ada@Example.COM ").unwrap(), "ada@example.com");
        for wrong in ["", "ada", "@example.com", "ada@", "a b@example.com", "a@b@c", "Ada <ada@example.com>"] {
            assert!(email(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn passwords_are_long_and_not_the_address() {
        assert!(new_password("correct horse", "ada@example.com").is_ok());
        assert!(new_password("short", "ada@example.com").is_err());
        assert!(new_password("ADA@example.com", "ada@example.com").is_err());
        assert!(new_password(&"x".repeat(2_000), "ada@example.com").is_err());
    }

    #[test]
    fn roles_are_in_order() {
        assert!(Role::Admin.includes(Role::Member) && !Role::Viewer.includes(Role::Member));
        assert_eq!(Role::Admin.capped_at(Role::Viewer), Role::Viewer);
        assert_eq!(Role::None.capped_at(Role::Viewer), Role::None);
    }
}
