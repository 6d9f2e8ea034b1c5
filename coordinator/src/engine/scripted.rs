//! An engine for tests: containers do what the test says.

use super::{ContainerEngine, Created, EngineError, Exited, Found, Input, Signal, State};
use crate::engine::spec::{ContainerSpec, WAITS};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use uuid::Uuid;

/// Containers by name, and what tests assert on.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) containers: watch::Sender<BTreeMap<String, Container>>,
    /// The exit code of a container that gets TERM; none where it ignores it.
    pub(crate) on_term: Option<i32>,
    /// The exit code of a container that ends before it has read its secrets.
    pub(crate) ends_at_start: Option<i32>,
    /// Whether the image exists.
    pub(crate) image: bool,
    pub(crate) signals: Mutex<Vec<Signal>>,
    /// How many pulls were requested.
    pub(crate) pulls: AtomicUsize,
    /// How often each container was started.
    pub(crate) starts: Mutex<BTreeMap<String, u32>>,
    /// What containers that waited were told, once their standard input was closed.
    pub(crate) told: watch::Sender<BTreeMap<String, String>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Container {
    name: String,
    labels: BTreeMap<String, String>,
    state: State,
}

impl Container {
    fn found(self, id: &str) -> Found {
        Found { id: id.to_owned(), name: self.name, labels: self.labels, state: self.state }
    }
}

impl Scripted {
    pub(crate) fn new() -> Self {
        Self {
            containers: watch::Sender::default(),
            on_term: Some(130),
            ends_at_start: None,
            image: true,
            signals: Mutex::default(),
            pulls: AtomicUsize::new(0),
            starts: Mutex::default(),
            told: watch::Sender::default(),
        }
    }

    /// Ends a container.
    pub(crate) fn exit(&self, id: &str, code: i32) {
        self.set(id, State::Exited(Exited { code, ..Exited::default() }));
    }

    /// The containers that run for a job.
    pub(crate) fn running(&self) -> Vec<String> {
        let all = self.containers.borrow();
        let runs = |c: &Container| matches!(c.state, State::Running { .. }) && !c.name.starts_with(WAITS);
        all.iter().filter(|(_, c)| runs(c)).map(|(id, _)| id.clone()).collect()
    }

    /// Containers that were started more than once.
    pub(crate) fn doubles(&self) -> Vec<String> {
        self.starts.lock().unwrap().iter().filter(|(_, count)| **count > 1).map(|(id, _)| id.clone()).collect()
    }

    /// Removes a container, as a person with `docker rm -f` would.
    pub(crate) fn lose(&self, id: &str) {
        self.containers.send_modify(|all| {
            all.remove(id);
        });
    }

    fn set(&self, id: &str, state: State) {
        self.containers.send_modify(|all| {
            if let Some(container) = all.get_mut(id) {
                container.state = state;
            }
        });
    }

    /// Waits until the containers are in the state that the test expects.
    pub(crate) async fn until(&self, wanted: impl Fn(&BTreeMap<String, State>) -> bool) {
        let mut containers = self.containers.subscribe();
        let states =
            |all: &BTreeMap<String, Container>| all.values().map(|c| (c.name.clone(), c.state.clone())).collect();
        containers.wait_for(|all| wanted(&states(all))).await.unwrap();
    }
}

#[async_trait]
impl ContainerEngine for Scripted {
    async fn version(&self) -> Result<String, EngineError> {
        Ok("scripted".to_owned())
    }

    async fn has_image(&self, _image: &str) -> Result<bool, EngineError> {
        Ok(self.image)
    }

    async fn pull(&self, image: &str) -> Result<(), EngineError> {
        self.pulls.fetch_add(1, Ordering::SeqCst);
        Err(EngineError::NoImage { image: image.to_owned() })
    }

    async fn root_dir(&self) -> Result<Option<PathBuf>, EngineError> {
        Ok(None)
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<Created, EngineError> {
        if !self.image {
            return Err(EngineError::NoImage { image: spec.image.clone() });
        }
        let id = spec.name.clone();
        if let Some((id, _)) = self.containers.borrow().iter().find(|(_, container)| container.name == spec.name) {
            return Ok(Created::Existing(id.clone()));
        }
        let container = Container { name: spec.name.clone(), labels: spec.labels.clone(), state: State::Created };
        self.containers.send_modify(|all| {
            all.insert(id.clone(), container);
        });
        Ok(Created::New(id))
    }

    async fn start(&self, id: &str, _spec: &ContainerSpec) -> Result<(), EngineError> {
        *self.starts.lock().unwrap().entry(id.to_owned()).or_default() += 1;
        let Some(code) = self.ends_at_start else {
            self.set(id, State::Running { since: None });
            return Ok(());
        };
        self.exit(id, code);
        Err(EngineError::Stdin(std::io::ErrorKind::BrokenPipe.into()))
    }

    async fn start_waiting(&self, id: &str) -> Result<Input, EngineError> {
        *self.starts.lock().unwrap().entry(id.to_owned()).or_default() += 1;
        self.set(id, State::Running { since: None });
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let (told, containers, id) = (self.told.clone(), self.containers.clone(), id.to_owned());
        tokio::spawn(async move {
            let mut text = String::new();
            theirs.read_to_string(&mut text).await.unwrap();
            // As the runner does where no job came, or only a part of one.
            if !text.ends_with('\n') {
                containers.send_modify(|all| {
                    if let Some(container) = all.get_mut(&id) {
                        container.state = State::Exited(Exited { code: 75, ..Exited::default() });
                    }
                });
            }
            told.send_modify(|all| drop(all.insert(id, text)));
        });
        Ok(Box::pin(ours))
    }

    async fn rename(&self, id: &str, name: &str) -> Result<(), EngineError> {
        self.containers.send_modify(|all| {
            if let Some(container) = all.get_mut(id) {
                name.clone_into(&mut container.name);
            }
        });
        Ok(())
    }

    async fn wait(&self, id: &str) -> Result<(), EngineError> {
        let mut containers = self.containers.subscribe();
        let ended = |all: &BTreeMap<String, Container>| {
            !matches!(all.get(id), Some(Container { state: State::Running { .. }, .. }))
        };
        containers.wait_for(ended).await.unwrap();
        Ok(())
    }

    async fn inspect(&self, id: &str) -> Result<Found, EngineError> {
        let container = self.containers.borrow().get(id).cloned();
        let gone = || Container { name: id.to_owned(), labels: BTreeMap::new(), state: State::Gone };
        Ok(container.unwrap_or_else(gone).found(id))
    }

    async fn log_tail(&self, _id: &str, _max_bytes: usize) -> Result<String, EngineError> {
        Ok("the last line with worker-secret in it".to_owned())
    }

    async fn signal(&self, id: &str, signal: Signal) -> Result<(), EngineError> {
        self.signals.lock().unwrap().push(signal);
        match (signal, self.on_term) {
            (Signal::Term, Some(code)) => self.exit(id, code),
            (Signal::Term, None) => {}
            (Signal::Kill, _) => self.exit(id, 137),
        }
        Ok(())
    }

    async fn remove(&self, id: &str) -> Result<(), EngineError> {
        self.lose(id);
        Ok(())
    }

    async fn list_own(&self, _coordinator: Uuid) -> Result<Vec<Found>, EngineError> {
        let all = self.containers.borrow();
        Ok(all.iter().map(|(id, container)| container.clone().found(id)).collect())
    }
}
