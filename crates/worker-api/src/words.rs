//! The words that enums have on the wire and in the database, and strict reading of them.

/// A word that is not one of the known values. A program that meets one should refuse it: it was written by a newer
/// version, or by hand, and any guess would change what it means.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a {what} that this version knows")]
pub struct UnknownWord {
    /// What kind of word was expected, such as `job status`.
    pub what: &'static str,
    /// The word as it was found.
    pub word: String,
}

/// Gives an enum without fields its words: `as_str`, `parse`, `FromStr`, `Display` and `ALL`, from one table.
macro_rules! words {
    ($name:ident, $what:literal, { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $name {
            /// Every value, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word on the wire and in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            /// Reads a word exactly as [`Self::as_str`] writes it.
            ///
            /// # Errors
            /// The word is unknown to this version.
            pub fn parse(word: &str) -> Result<Self, $crate::UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::UnknownWord { what: $what, word: word.to_owned() }),
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Self::parse(word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use crate::{
        BudgetLevel, BudgetUnit, CheckpointStage, CheckpointStatus, CheckpointType, Directive, ExecutionMode,
        HeldState, JobKind, JobStatus, UpdateStrategy,
    };

    macro_rules! agrees_with_serde {
        ($($name:ident),+) => {$(
            for value in $name::ALL {
                let word = serde_json::to_value(value).unwrap();
                assert_eq!(word, value.as_str());
                assert_eq!($name::parse(value.as_str()), Ok(*value));
                assert_eq!(value.to_string().parse(), Ok(*value));
            }
        )+};
    }

    #[test]
    fn every_word_is_the_same_in_json_and_in_the_database() {
        agrees_with_serde!(JobKind, ExecutionMode, JobStatus, HeldState, Directive, UpdateStrategy);
        agrees_with_serde!(CheckpointType, CheckpointStatus, CheckpointStage, BudgetLevel, BudgetUnit);
    }

    #[test]
    fn an_unknown_word_is_refused_and_named() {
        for word in ["", "Pending", " pending", "paused"] {
            assert!(JobStatus::parse(word).is_err(), "{word:?}");
        }
        let error = JobStatus::parse("paused").unwrap_err();
        assert_eq!(error.to_string(), "\"paused\" is not a job status that this version knows");
        assert!(JobKind::parse("epic").is_err());
        assert!(ExecutionMode::parse("remote").is_err());
        assert!(Directive::parse("stop").is_err());
    }
}
