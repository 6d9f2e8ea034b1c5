//! How a project works with its forge: the fields of a project that are about reviews and pull requests.

use super::{ForgeKind, ReviewTrigger};
use crate::domain::present;
use crate::domain::refusal::Refusal;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use terarchitect_worker_api::UpdateStrategy;
use utoipa::ToSchema;

/// The most bots that can be listed.
const MAX_BOTS: usize = 100;
/// The longest name of an account or label, in characters.
const MAX_NAME_CHARS: usize = 100;
/// The longest quiet time: a day, in seconds.
const MAX_QUIET_SEC: i32 = 86_400;

/// How a project works with its forge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ForgeFields {
    /// Which forge the repository is at; null: found from its address.
    pub forge_kind: Option<ForgeKind>,
    /// What of a review becomes an order to the agent.
    pub review_trigger: ReviewTrigger,
    /// Comments become one job once none has come for so many seconds.
    pub review_quiet_sec: i32,
    /// Bots whose comments count as those of people do.
    pub review_bots: Vec<String>,
    /// How many times failing checks of one pull request are given to the agent.
    pub max_check_fixes: i32,
    /// How a pull request's branch gets what its base got since.
    pub base_update: UpdateStrategy,
    /// Whether a branch is deleted once its pull request is merged.
    pub delete_merged_branch: bool,
    /// Issues with this label become tickets; null: none do.
    pub issue_label: Option<String>,
}

impl Default for ForgeFields {
    fn default() -> Self {
        Self {
            forge_kind: None,
            review_trigger: ReviewTrigger::ChangesOrMention,
            review_quiet_sec: 60,
            review_bots: Vec::new(),
            max_check_fixes: 2,
            base_update: UpdateStrategy::default(),
            delete_merged_branch: false,
            issue_label: None,
        }
    }
}

/// Changes of how a project works with its forge; absent fields stay as they are.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ForgeChanges {
    /// Which forge the repository is at; null: found from its address.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ForgeKind>)]
    pub forge_kind: Option<Option<ForgeKind>>,
    /// What of a review becomes an order to the agent; `changes_or_mention` in a new project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_trigger: Option<ReviewTrigger>,
    /// Comments become one job once none has come for so many seconds: 0 to 86400, 60 in a new project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_quiet_sec: Option<i32>,
    /// Bots whose comments count as those of people do, by their names at the forge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_bots: Option<Vec<String>>,
    /// How many times failing checks of one pull request are given to the agent: 0 to 100, 2 in a new project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_check_fixes: Option<i32>,
    /// How a pull request's branch gets what its base got since; `merge` in a new project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_update: Option<UpdateStrategy>,
    /// Whether a branch is deleted once its pull request is merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_merged_branch: Option<bool>,
    /// Issues with this label become tickets; null: none do.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub issue_label: Option<Option<String>>,
}

impl ForgeChanges {
    /// The fields after these changes.
    ///
    /// # Errors
    /// When a field is not valid.
    pub fn over(self, now: ForgeFields) -> Result<ForgeFields, Refusal> {
        let fields = ForgeFields {
            forge_kind: self.forge_kind.unwrap_or(now.forge_kind),
            review_trigger: self.review_trigger.unwrap_or(now.review_trigger),
            review_quiet_sec: self.review_quiet_sec.unwrap_or(now.review_quiet_sec),
            review_bots: self.review_bots.map_or(Ok(now.review_bots), bots)?,
            max_check_fixes: self.max_check_fixes.unwrap_or(now.max_check_fixes),
            base_update: self.base_update.unwrap_or(now.base_update),
            delete_merged_branch: self.delete_merged_branch.unwrap_or(now.delete_merged_branch),
            issue_label: match self.issue_label {
                Some(label) => label_of(label)?,
                None => now.issue_label,
            },
        };
        if !(0..=MAX_QUIET_SEC).contains(&fields.review_quiet_sec) || !(0..=100).contains(&fields.max_check_fixes) {
            return Err(Refusal::invalid(
                "'review_quiet_sec' must be from 0 to 86400, and 'max_check_fixes' from 0 to 100.",
            ));
        }
        Ok(fields)
    }
}

impl From<ForgeFields> for ForgeChanges {
    fn from(fields: ForgeFields) -> Self {
        Self {
            forge_kind: Some(fields.forge_kind),
            review_trigger: Some(fields.review_trigger),
            review_quiet_sec: Some(fields.review_quiet_sec),
            review_bots: Some(fields.review_bots),
            max_check_fixes: Some(fields.max_check_fixes),
            base_update: Some(fields.base_update),
            delete_merged_branch: Some(fields.delete_merged_branch),
            issue_label: Some(fields.issue_label),
        }
    }
}

/// Bots by name. One name for all of them would let any app give orders where anyone may comment.
fn bots(names: Vec<String>) -> Result<Vec<String>, Refusal> {
    let mut seen = HashSet::new();
    let names: Vec<String> = names.iter().map(|name| name.trim().trim_start_matches('@').to_owned()).collect();
    let is_name = |name: &String| {
        !name.is_empty()
            && name.chars().count() <= MAX_NAME_CHARS
            && name.chars().all(|c| c.is_alphanumeric() || "-_.[]".contains(c))
    };
    if names.len() > MAX_BOTS || !names.iter().all(is_name) {
        return Err(Refusal::invalid(
            "'review_bots' must list at most 100 bots by their names at the forge, such as renovate[bot]; there is no sign for all of them.",
        ));
    }
    Ok(names.into_iter().filter(|name| seen.insert(name.to_lowercase())).collect())
}

fn label_of(label: Option<String>) -> Result<Option<String>, Refusal> {
    let Some(label) = label.map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()) else {
        return Ok(None);
    };
    if label.chars().count() > MAX_NAME_CHARS || label.chars().any(char::is_control) {
        return Err(Refusal::invalid("'issue_label' must be the name of a label, of at most 100 characters."));
    }
    Ok(Some(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bots_after(names: &[&str]) -> Result<Vec<String>, Refusal> {
        let review_bots = Some(names.iter().map(|name| (*name).to_owned()).collect());
        ForgeChanges { review_bots, ..ForgeChanges::default() }
            .over(ForgeFields::default())
            .map(|fields| fields.review_bots)
    }

    #[test]
    fn bots_are_listed_by_name_and_never_all_of_them() {
        assert_eq!(bots_after(&["@renovate[bot]", "Renovate[bot]", "lint"]).unwrap(), ["renovate[bot]", "lint"]);
        for names in [&["*"][..], &[""], &["a b"]] {
            assert!(bots_after(names).is_err(), "{names:?}");
        }
    }

    #[test]
    fn what_is_not_sent_stays() {
        let now = ForgeFields { review_quiet_sec: 5, issue_label: Some("agent".into()), ..ForgeFields::default() };
        assert_eq!(ForgeChanges::default().over(now.clone()).unwrap(), now);
        assert_eq!(ForgeChanges::from(now.clone()).over(ForgeFields::default()).unwrap(), now);
        let cleared = ForgeChanges { issue_label: Some(None), ..ForgeChanges::default() };
        assert_eq!(cleared.over(now).unwrap().issue_label, None);
    }
}
