//! What a review's job is about, point by point, and what its runner replies to each.

use crate::lenient;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What reviewers say, in a job of the kind `review`. Additive: `comment_body` of the job has the same as one text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReviewContext {
    /// The points, in the order in which they came.
    #[serde(default, deserialize_with = "lenient::list")]
    pub points: Vec<ReviewPoint>,
}

/// One thing that a reviewer says, or that failed. Its texts are bounded, and have nothing that a person does not see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReviewPoint {
    /// What a reply refers to.
    pub id: Uuid,
    /// `line`, `general`, `review`, `check` or `conflict`.
    #[serde(default)]
    pub kind: String,
    /// Who says it.
    #[serde(default)]
    pub author: String,
    /// Its thread at the forge; absent where it has none, and so no reply of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The line of the file.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::number")]
    pub line: Option<i32>,
    /// The piece of the diff that ends with that line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hunk: Option<String>,
    /// What is said.
    #[serde(default)]
    pub text: String,
    /// What was said before in its thread by people who may write to the repository and by the bot, the oldest first.
    #[serde(default, deserialize_with = "lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub conversation: Vec<ReviewRemark>,
}

/// A remark in a thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReviewRemark {
    /// Whose it is.
    pub author: String,
    /// What it says.
    pub text: String,
}

/// A runner's reply to a point, which the API posts in its thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReviewReply {
    /// The point's id.
    pub point_id: Uuid,
    /// The reply.
    pub body: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_absent_or_null_is_nothing() {
        let id = Uuid::nil();
        let context: ReviewContext =
            serde_json::from_value(json!({"points": [{"id": id, "line": "3", "conversation": null}]})).unwrap();
        assert_eq!(context.points, [ReviewPoint { id, line: Some(3), ..ReviewPoint::default() }]);
        assert_eq!(serde_json::from_value::<ReviewContext>(json!({"points": null})).unwrap(), ReviewContext::default());
    }
}
