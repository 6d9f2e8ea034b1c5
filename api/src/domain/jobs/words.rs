//! What a job's reasons mean, in words for a person who did not write the queue.

/// A reason as it continues a sentence such as "Failed: …".
#[must_use]
pub fn reason_in_words(reason: &str) -> String {
    let known = match reason {
        "completed" => "the work is done",
        "agent_failed" => "the agent did not succeed",
        "agent_misconfigured" => "a setting is missing or wrong",
        "timeout" => "it took longer than its time limit",
        "cancelled" => "it was cancelled",
        "oom" => "the container's memory was not enough",
        "image_unavailable" => "the agent's image is missing and could not be pulled",
        "container_lost" => "the container disappeared",
        "engine_error" => "the container engine refused or did not respond",
        "engine_restart" => "the container engine was restarted",
        "lease_lost" => "its coordinator sent no heartbeat in time",
        "disk_full" => "the host's disk is full",
        "try_again" => "the runner asked for a retry",
        "held" => "it waits for a person",
        "checkpoint_rejected" => "a person rejected it",
        "checkpoint_expired" => "nobody decided in time",
        "released" => "its coordinator gave it back before it started",
        other => return other.replace('_', " "),
    };
    known.to_owned()
}
