//! An engine for tests: containers do what the test says.

use super::{ContainerEngine, Created, EngineError, Exited, Found, Signal, State};
use crate::engine::spec::ContainerSpec;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
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
}

#[derive(Clone, Debug)]
pub(crate) struct Container {
    labels: BTreeMap<String, String>,
    state: State,
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
        }
    }

    /// Ends a container.
    pub(crate) fn exit(&self, id: &str, code: i32) {
        self.set(id, State::Exited(Exited { code, ..Exited::default() }));
    }

    /// The containers that run.
    pub(crate) fn running(&self) -> Vec<String> {
        let all = self.containers.borrow();
        all.iter().filter(|(_, c)| matches!(c.state, State::Running { .. })).map(|(id, _)| id.clone()).collect()
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
            |all: &BTreeMap<String, Container>| all.iter().map(|(id, c)| (id.clone(), c.state.clone())).collect();
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
        if self.containers.borrow().contains_key(&id) {
            return Ok(Created::Existing(id));
        }
        let container = Container { labels: spec.labels.clone(), state: State::Created };
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
        let (labels, state) = container.map_or((BTreeMap::new(), State::Gone), |c| (c.labels, c.state));
        Ok(Found { id: id.to_owned(), name: id.to_owned(), labels, state })
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
        Ok(all
            .iter()
            .map(|(id, c)| Found { id: id.clone(), name: id.clone(), labels: c.labels.clone(), state: c.state.clone() })
            .collect())
    }
}
