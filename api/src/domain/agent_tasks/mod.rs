//! Jobs that are asked for by an agent's name, with data: what a request for one may say, and what a person sees before it starts.

pub mod files;

use crate::domain::refusal::Refusal;
use crate::domain::text;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use terarchitect_worker_api::{ProjectId, lenient};
use utoipa::ToSchema;

/// The priority of a job that names none.
const PRIORITY: i32 = 5;
/// The largest data of a job, in bytes.
const MAX_INPUT_BYTES: usize = 1024 * 1024;
/// The largest output of a job, in bytes.
const MAX_OUTPUT_BYTES: usize = 4 * 1024 * 1024;
/// How much of a file a person sees, in characters.
const PREVIEW_CHARS: usize = 200;
/// How long a job's title is, in characters.
const TITLE_CHARS: usize = 100;

/// A request for a job.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewTaskRequest {
    /// The agent that works on it, by its slug: `simple-task`, `code-generation`, `data-processing`, `ai-task`, or one of your own.
    #[serde(default)]
    pub job_type: String,
    /// What to do.
    #[serde(default)]
    pub task_description: String,
    /// What to do it with. `files` is a list of files with `path`, which stays inside of the workspace, and `content`.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub input_data: Option<Value>,
    /// From 1 to 10, and 10 goes first; 5 if absent.
    #[serde(default, deserialize_with = "lenient::number")]
    pub priority: Option<i32>,
    /// The project whose repository it works in; without one it works on its data alone.
    #[serde(default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    pub project_id: Option<ProjectId>,
}

/// A job to make.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTask {
    /// The agent's slug.
    pub job_type: String,
    /// What to do.
    pub description: String,
    /// What to do it with.
    pub input: Value,
    /// From 1 to 10.
    pub priority: i32,
    /// The project, where one is named.
    pub project: Option<ProjectId>,
}

impl NewTaskRequest {
    /// The job that is asked for. A priority out of range is the nearest one in it.
    ///
    /// # Errors
    /// When something is missing or too large, or a file has no place in the workspace.
    pub fn into_task(self) -> Result<NewTask, Refusal> {
        let job_type = self.job_type.trim().to_owned();
        if job_type.is_empty() {
            return Err(Refusal::invalid("'jobType' must name an agent, such as \"simple-task\"."));
        }
        let description = text::long_text("taskDescription", self.task_description.trim().to_owned())?;
        if description.is_empty() {
            return Err(Refusal::invalid("'taskDescription' must say what to do."));
        }
        let input = self.input_data.filter(|input| !input.is_null()).unwrap_or_else(|| json!({}));
        if !input.is_object() {
            return Err(Refusal::invalid("'inputData' must be a JSON object."));
        }
        if input.to_string().len() > MAX_INPUT_BYTES {
            let limit = MAX_INPUT_BYTES / 1024;
            return Err(Refusal::invalid(format!("'inputData' is larger than {limit} KiB.")));
        }
        files::check(&input)?;
        let priority = self.priority.unwrap_or(PRIORITY).clamp(1, 10);
        Ok(NewTask { job_type, description, input, priority, project: self.project_id })
    }
}

impl NewTask {
    /// What people read of it on the board.
    #[must_use]
    pub fn title(&self) -> String {
        let line = self.description.lines().next().unwrap_or_default();
        line.chars().take(TITLE_CHARS).collect()
    }

    /// What a person sees who decides whether it starts: of files their paths, sizes and beginnings, else the data itself.
    #[must_use]
    pub fn start_data(&self) -> Map<String, Value> {
        let Some(files) = self.input.get("files").and_then(Value::as_array) else {
            return Map::from_iter([("input".to_owned(), self.input.clone())]);
        };
        let shown: Vec<Value> = files
            .iter()
            .map(|file| {
                let content = file["content"].as_str().unwrap_or_default();
                let preview: String = content.chars().take(PREVIEW_CHARS).collect();
                json!({"path": file["path"], "contentPreview": preview, "size": content.len()})
            })
            .collect();
        let mut data =
            Map::from_iter([("totalFiles".to_owned(), json!(shown.len())), ("files".to_owned(), Value::Array(shown))]);
        if let Some(description) = self.input.get("description") {
            data.insert("description".to_owned(), description.clone());
        }
        data
    }
}

/// Checks what came of a job.
///
/// # Errors
/// When it is too large.
pub fn check_output(output: &Value) -> Result<(), Refusal> {
    if !output.is_object() || output.to_string().len() > MAX_OUTPUT_BYTES {
        let limit = MAX_OUTPUT_BYTES / (1024 * 1024);
        return Err(Refusal::invalid(format!("The output must be a JSON object of at most {limit} MiB.")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: Value) -> Result<NewTask, Refusal> {
        serde_json::from_value::<NewTaskRequest>(body).unwrap().into_task()
    }

    #[test]
    fn a_request_is_read_leniently_and_bounded() {
        let task =
            request(json!({"jobType": "simple-task", "taskDescription": "Do it\nwell", "priority": 99})).unwrap();
        assert_eq!((task.priority, task.title().as_str(), &task.input), (10, "Do it", &json!({})));
        for bad in [
            json!({"taskDescription": "x"}),
            json!({"jobType": "x"}),
            json!({"jobType": "x", "taskDescription": " "}),
            json!({"jobType": "x", "taskDescription": "x", "inputData": [1]}),
            json!({"jobType": "x", "taskDescription": "x", "inputData": {"text": "x".repeat(MAX_INPUT_BYTES)}}),
        ] {
            assert!(request(bad).is_err());
        }
    }

    #[test]
    fn a_person_sees_files_as_files() {
        let input = json!({"files": [{"path": "a.ts", "content": "x".repeat(300)}], "description": "Auth"});
        let task = request(json!({"jobType": "x", "taskDescription": "x", "inputData": input})).unwrap();
        let data = task.start_data();
        assert_eq!((&data["totalFiles"], &data["description"]), (&json!(1), &json!("Auth")));
        assert_eq!(data["files"][0]["contentPreview"].as_str().unwrap().len(), 200);
        assert_eq!(data["files"][0]["size"], 300);
        let plain = request(json!({"jobType": "x", "taskDescription": "x", "inputData": {"userId": "1"}})).unwrap();
        assert_eq!(plain.start_data()["input"], json!({"userId": "1"}));
    }
}
