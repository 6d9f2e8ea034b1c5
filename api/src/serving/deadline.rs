//! A body with a time limit for all of it: one that merely may not pause can go on for days, a byte at a time.

use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// The whole body did not arrive in time.
#[derive(Debug, thiserror::Error)]
#[error("the body did not arrive in time")]
pub(super) struct TooSlow;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// A body that has to arrive in time.
pub(super) struct DeadlineBody<B> {
    deadline: Pin<Box<Sleep>>,
    body: Pin<Box<B>>,
}

impl<B> DeadlineBody<B> {
    pub(super) fn new(limit: Duration, body: B) -> Self {
        Self { deadline: Box::pin(tokio::time::sleep(limit)), body: Box::pin(body) }
    }
}

impl<B: Body<Error: Into<AnyError>>> Body for DeadlineBody<B> {
    type Data = B::Data;
    type Error = AnyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(TooSlow.into())));
        }
        self.body.as_mut().poll_frame(context).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
