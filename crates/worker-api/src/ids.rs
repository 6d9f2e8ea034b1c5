//! Identifiers, each its own type, so that a ticket's id can't be passed where a project's is meant.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            /// A new id, ordered by time (UUID version 7).
            #[must_use]
            pub fn new() -> Self {
                Self(uuid::Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.trim().parse().map(Self)
            }
        }

        impl From<uuid::Uuid> for $name {
            fn from(id: uuid::Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for uuid::Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

id!(
    /// A project: one repository with its graph, board and tickets.
    ProjectId
);
id!(
    /// A ticket of a project.
    TicketId
);
id!(
    /// A row of the queue, `agent_jobs`.
    JobId
);
id!(
    /// A note of a project.
    NoteId
);
id!(
    /// An entry of a ticket's execution log.
    LogId
);

/// A worker's name for itself, kept as it was sent: 1 to 200 bytes, without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, min_length = 1, max_length = 200))]
#[serde(try_from = "String", into = "String")]
pub struct WorkerId(String);

/// The text can't be a [`WorkerId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'worker_id' must be 1 to {} bytes long, without control characters.", WorkerId::MAX_BYTES)]
pub struct InvalidWorkerId;

impl WorkerId {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 200;

    /// The name as it was sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for WorkerId {
    type Error = InvalidWorkerId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_valid = (1..=Self::MAX_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
        if is_valid { Ok(Self(text)) } else { Err(InvalidWorkerId) }
    }
}

impl std::str::FromStr for WorkerId {
    type Err = InvalidWorkerId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl From<WorkerId> for String {
    fn from(id: WorkerId) -> Self {
        id.0
    }
}

impl AsRef<str> for WorkerId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for WorkerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_id_is_kept_as_it_was_sent() {
        let longest = "w".repeat(WorkerId::MAX_BYTES);
        for text in ["coordinator-1", " spaces stay ", "wörker", longest.as_str()] {
            let id: WorkerId = serde_json::from_value(text.into()).unwrap();
            assert_eq!((id.as_str(), serde_json::to_value(&id).unwrap()), (text, text.into()));
        }
    }

    #[test]
    fn a_worker_id_that_is_empty_too_long_or_unprintable_is_refused_with_a_sentence() {
        let too_long = "ä".repeat(WorkerId::MAX_BYTES / 2 + 1);
        for text in ["", "a\nb", "\u{0}", "\u{85}", too_long.as_str()] {
            assert_eq!(text.parse::<WorkerId>(), Err(InvalidWorkerId), "{text:?}");
            let error = serde_json::from_value::<WorkerId>(text.into()).unwrap_err();
            assert_eq!(error.to_string(), "'worker_id' must be 1 to 200 bytes long, without control characters.");
        }
    }
}
