//! Schedules: when they are due, what they create, and what happens to times that passed.

pub mod expression;
pub mod firing;

pub use expression::Schedule;

use crate::domain::agents::object;
use crate::domain::refusal::Refusal;
use crate::domain::words::words;
use crate::domain::work_orders::{NewOrder, OrderRequest, Source};
use crate::domain::{present, text};
use serde::Deserialize;
use serde_json::{Value, json};
use terarchitect_worker_api::ProjectId;
use utoipa::ToSchema;
use uuid::Uuid;

/// How many of the next times are shown.
pub const NEXT_TIMES: usize = 5;

words! {
    /// What happens to times that passed while nothing could run.
    pub enum Missed "treatment of missed times" {
        /// The last of them is run late.
        Run = "run",
        /// None of them is run.
        Skip = "skip",
    }
}

words! {
    /// What happens while an earlier run is still going.
    pub enum Overlap "treatment of overlapping runs" {
        /// The time passes without a run.
        Skip = "skip",
        /// Another run begins.
        Allow = "allow",
    }
}

words! {
    /// How a run stands.
    pub enum RunStatus "run status" {
        /// Its order waits for a worker.
        Pending = "pending",
        /// An agent works.
        Running = "running",
        /// It is done.
        Completed = "completed",
        /// It failed, was cancelled, or no order could be created.
        Failed = "failed",
        /// The time passed without a run.
        Skipped = "skipped",
    }
}

/// What a schedule is made of, or changed to.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleFields {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// When it is due.
    pub cron_expression: String,
    /// Where that time is.
    pub timezone: String,
    /// The repository of its orders.
    pub repo: Option<ProjectId>,
    /// The agent of its orders.
    pub agent: Option<Uuid>,
    /// What its orders say.
    pub template: Value,
    /// Whether it is fired by itself.
    pub enabled: bool,
    /// What happens to times that passed.
    pub missed: Missed,
    /// What happens while an earlier run is still going.
    pub overlap: Overlap,
}

/// A new schedule, or changes to one; absent fields stay as they are.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[schema(as = ScheduleBody)]
pub struct ScheduleChanges {
    /// What people call it; required for a new one.
    pub name: Option<String>,
    /// What it is for.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<String>>,
    /// When it is due: minute, hour, day of the month, month, day of the week; required for a new one.
    pub cron_expression: Option<String>,
    /// Where that time is, such as `Europe/Berlin`; `UTC` if absent.
    pub timezone: Option<String>,
    /// The agent of its orders; the repository's own if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Uuid>)]
    pub agent_id: Option<Option<Uuid>>,
    /// The repository of its orders.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Uuid>)]
    pub repo_id: Option<Option<ProjectId>>,
    /// What its orders say: an object with the fields of a work order. Without an objective, the description or the name is it.
    #[schema(value_type = Option<Object>)]
    pub work_order_template: Option<Value>,
    /// Whether it is fired by itself; true if absent.
    pub enabled: Option<bool>,
    /// What happens to times that passed while nothing could run: `run` the last of them once, or `skip` them.
    pub missed: Option<Missed>,
    /// What happens while an earlier run is still going: `skip` this time, or `allow` another run.
    pub overlap: Option<Overlap>,
}

impl ScheduleChanges {
    /// The fields of a new schedule, and when it is due.
    ///
    /// # Errors
    /// When a field is missing or not valid.
    pub fn into_new(self) -> Result<(ScheduleFields, Schedule), Refusal> {
        if self.cron_expression.is_none() {
            return Err(Refusal::invalid(
                "'cron_expression' is missing; it says when the schedule is due, such as '0 3 * * *'.",
            ));
        }
        let now = ScheduleFields {
            name: String::new(),
            description: None,
            cron_expression: String::new(),
            timezone: "UTC".to_owned(),
            repo: None,
            agent: None,
            template: json!({}),
            enabled: true,
            missed: Missed::Run,
            overlap: Overlap::Skip,
        };
        let name = self.name.clone().unwrap_or_default();
        Self { name: Some(name), ..self }.over(now)
    }

    /// The fields after these changes, and when it is due then.
    ///
    /// # Errors
    /// When a field is not valid.
    pub fn over(self, now: ScheduleFields) -> Result<(ScheduleFields, Schedule), Refusal> {
        let description = match self.description {
            Some(text) => text.map(|text| text::long_text("description", text)).transpose()?,
            None => now.description,
        };
        let fields = ScheduleFields {
            name: self.name.map_or(Ok(now.name), |name| text::title("name", &name))?,
            description: description.filter(|text| !text.trim().is_empty()),
            cron_expression: self.cron_expression.map_or(now.cron_expression, |text| text.trim().to_owned()),
            timezone: self.timezone.map_or(now.timezone, |text| text.trim().to_owned()),
            repo: self.repo_id.unwrap_or(now.repo),
            agent: self.agent_id.unwrap_or(now.agent),
            template: self.work_order_template.map_or(Ok(now.template), |new| object("work_order_template", new))?,
            enabled: self.enabled.unwrap_or(now.enabled),
            missed: self.missed.unwrap_or(now.missed),
            overlap: self.overlap.unwrap_or(now.overlap),
        };
        let schedule = Schedule::parse(&fields.cron_expression, &fields.timezone)?;
        fields.order(Uuid::nil(), Uuid::nil())?;
        Ok((fields, schedule))
    }
}

impl ScheduleFields {
    /// The order of a run.
    ///
    /// # Errors
    /// When the template is not that of an order.
    pub fn order(&self, schedule: Uuid, run: Uuid) -> Result<NewOrder, Refusal> {
        let mut request: OrderRequest = serde_json::from_value(self.template.clone())
            .map_err(|error| Refusal::invalid(format!("'work_order_template' is not valid: {error}.")))?;
        let says_nothing = request.objective.as_deref().is_none_or(|text| text.trim().is_empty());
        if says_nothing && request.lines.is_none() {
            request.objective = self.description.clone().or_else(|| Some(self.name.clone()));
        }
        request.repo_id = self.repo;
        request.agent_id = self.agent.or(request.agent_id);
        request.source = Some(Source::Job);
        let mut order = request.into_new(None)?;
        order.metadata["job_id"] = json!(schedule);
        order.metadata["job_run_id"] = json!(run);
        Ok(order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(body: Value) -> Result<ScheduleFields, Refusal> {
        serde_json::from_value::<ScheduleChanges>(body).unwrap().into_new().map(|(fields, _)| fields)
    }

    #[test]
    fn a_schedule_needs_a_name_and_a_time() {
        for (wrong, says) in [
            (json!({"cron_expression": "0 3 * * *"}), "'name'"),
            (json!({"name": "Nightly"}), "'cron_expression' is missing"),
            (json!({"name": "Nightly", "cron_expression": "0 0 30 2 *"}), "never due"),
            (json!({"name": "Nightly", "cron_expression": "@daily", "work_order_template": []}), "work_order_template"),
            (json!({"name": "N", "cron_expression": "@daily", "work_order_template": {"lines": 7}}), "lines"),
        ] {
            let refusal = new(wrong).unwrap_err();
            assert!(refusal.message.contains(says), "{}", refusal.message);
        }
    }

    #[test]
    fn its_orders_say_what_the_template_says_and_where_they_come_from() {
        let template = json!({"objective": "Update dependencies", "metadata": {"team": "core"}});
        let fields = new(json!({"name": "N", "cron_expression": "@daily", "work_order_template": template})).unwrap();
        let (schedule, run) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let order = fields.order(schedule, run).unwrap();
        assert_eq!((order.source, order.content.objective.as_str()), (Source::Job, "Update dependencies"));
        assert_eq!(order.metadata, json!({"team": "core", "job_id": schedule, "job_run_id": run}));
        let bare = new(json!({"name": "Update dependencies", "cron_expression": "@daily"})).unwrap();
        assert_eq!(bare.order(schedule, run).unwrap().content.objective, "Update dependencies");
    }

    #[test]
    fn changes_leave_the_rest_as_it_is() {
        let fields =
            new(json!({"name": "N", "description": "D", "cron_expression": "@daily", "missed": "skip"})).unwrap();
        let changes: ScheduleChanges = serde_json::from_value(json!({"description": null, "enabled": false})).unwrap();
        let (changed, _) = changes.over(fields.clone()).unwrap();
        assert_eq!(changed, ScheduleFields { description: None, enabled: false, ..fields });
    }
}
