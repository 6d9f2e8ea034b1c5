//! Notes, attached to parts of a project's graph.

use crate::domain::refusal::Refusal;
use crate::domain::{present, text};
use serde::Deserialize;
use utoipa::ToSchema;

/// What a note is made of, or changed to.
#[derive(Clone, Debug, Default)]
pub struct NoteFields {
    /// Nodes that it is about.
    pub node_ids: Vec<String>,
    /// Edges that it is about.
    pub edge_ids: Vec<String>,
    /// Its title.
    pub title: Option<String>,
    /// Its text.
    pub content: String,
}

/// A new note, or changes to one; absent fields stay as they are.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = NoteBody)]
pub struct NoteChanges {
    /// Nodes that it is about.
    pub node_ids: Option<Vec<String>>,
    /// Edges that it is about.
    pub edge_ids: Option<Vec<String>>,
    /// Its title.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub title: Option<Option<String>>,
    /// Its text.
    pub content: Option<String>,
}

impl NoteChanges {
    /// The fields of a new note.
    ///
    /// # Errors
    /// When it has neither title nor text, or a field is not valid.
    pub fn into_new(self) -> Result<NoteFields, Refusal> {
        let fields = self.over(NoteFields::default())?;
        if fields.title.is_none() && fields.content.trim().is_empty() {
            return Err(Refusal::invalid("A note needs a 'title' or a 'content'."));
        }
        Ok(fields)
    }

    /// The fields after these changes.
    ///
    /// # Errors
    /// When a field is not valid.
    pub fn over(self, now: NoteFields) -> Result<NoteFields, Refusal> {
        Ok(NoteFields {
            node_ids: self.node_ids.map_or(Ok(now.node_ids), |ids| text::associations("node_ids", ids))?,
            edge_ids: self.edge_ids.map_or(Ok(now.edge_ids), |ids| text::associations("edge_ids", ids))?,
            title: match self.title {
                Some(title) => title.filter(|t| !t.trim().is_empty()).map(|t| text::title("title", &t)).transpose()?,
                None => now.title,
            },
            content: self.content.map_or(Ok(now.content), |content| text::long_text("content", content))?,
        })
    }
}
