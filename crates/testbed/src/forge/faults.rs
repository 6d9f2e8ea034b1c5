//! How the forge misbehaves, as a test asks for it.

use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// How the forge misbehaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The status of the next REST calls, and how many of them.
    pub rest: Option<(u16, u32)>,
    /// Redirect REST calls to another address of the same repository, with this status.
    pub rest_moved: Option<u16>,
    /// Refuse pushes.
    pub refuse_pushes: bool,
    /// What the next REST calls are answered with.
    pub rest_answer: Option<Answer>,
    /// What the next requests of git are answered with, once they carry the token.
    pub git_answer: Option<Answer>,
    /// What the next requests of a push are answered with, once they carry the token.
    pub push_answer: Option<Answer>,
    /// What git's requests are answered with before anything is looked at, such as a redirect.
    pub first_answer: Option<Answer>,
    /// A repository's old name and its new one, to which git is redirected.
    pub renamed: Option<(&'static str, &'static str)>,
    /// What happens to the next calls of one kind.
    pub on_call: Option<OnCall>,
}

/// What happens to calls of one kind.
#[derive(Clone, Copy, Debug)]
pub struct OnCall {
    /// Their method.
    pub method: &'static str,
    /// What their path ends with.
    pub ends: &'static str,
    /// How many of them.
    pub times: u32,
    /// What happens.
    pub what: Trouble,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// It is done, and the connection breaks in the middle of the response.
    Lost,
    /// It is done, and what stands before the forge answers in its place.
    DoneBut(Answer),
    /// It is not done, and this is the answer.
    Answer(Answer),
}

/// An answer in place of the real one.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// How many requests get it.
    pub times: u32,
    /// Its headers.
    pub headers: &'static [(&'static str, &'static str)],
    /// Its body.
    pub body: &'static str,
}

impl Answer {
    /// GitHub's primary limit, with the second that it ends in the past.
    pub const SPENT: Self = Self {
        status: 403,
        times: 1,
        headers: &[("x-ratelimit-limit", "5000"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1000000000")],
        body: r#"{"message": "API rate limit exceeded for user ID 1.", "documentation_url": "https://docs.github.com/rest"}"#,
    };
    /// A limit that says how long to wait.
    pub const TOO_MANY: Self = Self { status: 429, times: 1, headers: &[("retry-after", "1")], body: "Retry later\n" };
    /// A proxy's page in place of the forge.
    pub const BAD_GATEWAY: Self = Self {
        status: 502,
        times: 1,
        headers: &[("content-type", "text/html")],
        body: "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>\n",
    };
    /// A page that says that all is well, such as that of a sign-in.
    pub const PAGE: Self = Self {
        status: 200,
        times: 1,
        headers: &[("content-type", "text/html")],
        body: "<!doctype html><title>Sign in</title>\n",
    };

    /// The same for the next `times` requests.
    #[must_use]
    pub const fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    pub(crate) fn response(&self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, self.body).into_response();
        for (name, value) in self.headers {
            response.headers_mut().insert(*name, HeaderValue::from_static(value));
        }
        response
    }

    /// The next of these answers, while there are any.
    pub(super) fn take(from: &mut Option<Self>) -> Option<Response> {
        let answer = from.as_mut()?;
        if answer.times == 0 {
            return None;
        }
        answer.times -= 1;
        Some(answer.response())
    }
}

impl Faults {
    /// The status of the next REST call.
    pub(super) fn take_status(&mut self) -> Option<StatusCode> {
        let (status, left) = self.rest?;
        self.rest = (left > 1).then_some((status, left - 1));
        StatusCode::from_u16(status).ok()
    }

    /// What happens to this call.
    pub(super) fn take_trouble(&mut self, method: &str, path: &str) -> Option<Trouble> {
        let on_call = self.on_call.as_mut()?;
        if on_call.times == 0 || on_call.method != method || !path.ends_with(on_call.ends) {
            return None;
        }
        on_call.times -= 1;
        Some(on_call.what)
    }
}
