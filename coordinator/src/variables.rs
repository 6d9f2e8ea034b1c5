//! The names of the environment variables that configure a coordinator. This is their only home in code; sentences for
//! people spell them out.

macro_rules! variables {
    ($($name:ident),+ $(,)?) => {
        $(
            #[doc = concat!("The variable `", stringify!($name), "`.")]
            pub const $name: &str = stringify!($name);
        )+
    };
}

variables!(
    TERARCHITECT_API_URL,
    CONTAINER_API_URL,
    TERARCHITECT_WORKER_API_KEY,
    PROJECT_ID,
    PROJECT_IDS,
    GITHUB_TOKEN,
    AGENT_IMAGE,
    MAX_CONCURRENT_AGENTS,
    WARM_AGENTS,
    POLL_INTERVAL_SEC,
    AGENT_STOP_GRACE_SEC,
    COORDINATOR_STATE_DIR,
    DRAIN_MODE,
    AGENT_MEMORY_MB,
    AGENT_CPUS,
    AGENT_PIDS,
    AGENT_NETWORK,
    AGENT_CAP_ADD,
    AGENT_ENV_PASSTHROUGH,
    AGENT_SECRETS,
    AGENT_DOCKER_MODE,
    AGENT_RUNTIME,
    AGENT_EXTRA_CA_CERTS,
    AGENT_HTTPS_PROXY,
    AGENT_HTTP_PROXY,
    AGENT_NO_PROXY,
    AGENT_PULL_POLICY,
    AGENT_REGISTRY_USERNAME,
    AGENT_REGISTRY_PASSWORD,
    DOCKER_HOST,
    DOCKER_TLS_VERIFY,
    DOCKER_CERT_PATH,
    COORDINATOR_ENGINE_TIMEOUT_SEC,
    COORDINATOR_MIN_FREE_MB,
    ALLOW_LOCAL_EXECUTION,
    AGENT_RUNNER_BIN,
    METRICS_ADDR,
    COORDINATOR_READY_FILE,
    LOG_FORMAT,
);

/// Variables that are passed on to containers when they are set.
pub const PASSED_ON: &[&str] = &[
    "AGENT_LLM_URL",
    "AGENT_MODEL",
    "AGENT_API_KEY",
    "AGENT_MAX_TURNS",
    "CHECKPOINT_HOLD_SEC",
    "STUCK_SAME_CALLS",
    "STUCK_SAME_ROUNDS",
    "STUCK_SAME_ERRORS",
    "STUCK_WAITING_CALLS",
    "STUCK_COMPACTIONS",
    "STUCK_SILENT_SEC",
    "STUCK_IDLE_TURNS",
    "STUCK_TALKING_TURNS",
    "STUCK_UNDOING_TURNS",
    "WORKER_LLM_URL",
    "WORKER_MODEL",
    "WORKER_API_KEY",
    "WORKER_TIMEOUT_SEC",
    "WORKER_MODE",
    "AGENT_COMMAND",
    "CURSOR_API_KEY",
    "CURSOR_API_URL",
    "CURSOR_API_VERSION",
    "CURSOR_MODEL",
    "GITHUB_API_URL",
    "GITHUB_TOKEN_HOST",
    "GIT_USER_NAME",
    "GIT_USER_EMAIL",
];
