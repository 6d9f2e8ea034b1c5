//! Words of the database as the enumerations that they represent. A word that this version does not know is an error of
//! the row that holds it, never a default.

use crate::domain::agents::{AgentStatus, Program, RunsOn};
use crate::domain::cloud::CloudState;
use crate::domain::forges::{
    CommentKind, CommentState, CredentialKind, DeliveryState, ForgeKind, PostKind, PullState, ReviewState,
    ReviewTrigger, SecretKind,
};
use crate::domain::jobs::attempt::{AttemptOutcome, Reported};
use crate::domain::live::event::EventKind;
use crate::domain::people::Role;
use crate::domain::people::device_login::DeviceLoginState;
use crate::domain::people::link::LinkKind;
use crate::domain::people::token::TokenScope;
use crate::domain::schedules::{Missed, Overlap, RunStatus};
use crate::domain::tickets::Priority;
use crate::domain::work_orders::{OrderStatus, Source};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeInfo, PgValueRef};
use sqlx::{Decode, Postgres, Type};
use std::str::FromStr;
use terarchitect_worker_api::{
    CheckpointStatus, CheckpointType, Directive, ExecutionMode, JobKind, JobStatus, UpdateStrategy,
};

/// A text column that holds a word of `T`.
#[derive(Clone, Copy, Debug)]
pub struct Word<T>(pub T);

impl<T> Type<Postgres> for Word<T> {
    fn type_info() -> PgTypeInfo {
        <str as Type<Postgres>>::type_info()
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        <str as Type<Postgres>>::compatible(ty)
    }
}

impl<'r, T: FromStr<Err: std::error::Error + Send + Sync + 'static>> Decode<'r, Postgres> for Word<T> {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(<&str as Decode<Postgres>>::decode(value)?.parse()?))
    }
}

macro_rules! from_words {
    ($($type:ty),+) => {
        $(impl From<Word<$type>> for $type {
            fn from(word: Word<$type>) -> Self {
                word.0
            }
        })+
    };
}

from_words!(
    JobKind,
    JobStatus,
    ExecutionMode,
    Directive,
    Priority,
    AttemptOutcome,
    Reported,
    EventKind,
    UpdateStrategy,
    LinkKind,
    DeviceLoginState,
    TokenScope,
    ForgeKind,
    CloudState,
    Missed,
    Overlap,
    RunStatus,
    ReviewTrigger,
    CredentialKind,
    SecretKind,
    DeliveryState,
    PullState,
    CommentKind,
    PostKind,
    CommentState,
    CheckpointType,
    CheckpointStatus,
    Program,
    RunsOn,
    AgentStatus,
    OrderStatus,
    Source
);

// Where a word may be absent: nothing turns an optional word into an optional value.
macro_rules! decoded_as_words {
    ($($type:ty),+) => {
        $(impl Type<Postgres> for $type {
            fn type_info() -> PgTypeInfo {
                Word::<Self>::type_info()
            }

            fn compatible(ty: &PgTypeInfo) -> bool {
                Word::<Self>::compatible(ty)
            }
        }

        impl<'r> Decode<'r, Postgres> for $type {
            fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
                Ok(Word::decode(value)?.0)
            }
        })+
    };
}

decoded_as_words!(Role, ForgeKind, ReviewState, Program);
