//! What every command has: the server, the output, and the way from a name to what it names.

use crate::cli::Common;
use crate::exit::{failed, not_found, usage};
use crate::output::Output;
use crate::servers::{self, Choice, Servers, Wanted};
use crate::text;
use std::time::Duration;
use terarchitect_client::{Client, Coordinator, InboxItem, OrderFilter, Project, Retry, Schedule, Ticket, WorkOrder};
use uuid::Uuid;

/// How long a call is retried before a command gives up.
const PATIENCE: Duration = Duration::from_secs(3);

/// Among how many work orders one is looked for that is not named by its whole id.
const MOST_ORDERS: u32 = 200;

/// What every command has.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) common: Common,
    pub(crate) out: Output,
    pub(crate) client: Client,
}

impl App {
    pub(crate) fn new(common: Common) -> anyhow::Result<Self> {
        let out = Output::new(&common);
        let client = Self::choice(&common)?.client()?.with_retry(Retry::For(PATIENCE));
        Ok(Self { common, out, client })
    }

    /// The server that the command line and the environment choose.
    pub(crate) fn choice(common: &Common) -> anyhow::Result<Choice> {
        let wanted = Wanted::new(common);
        // Without a home directory there is no file to read.
        let servers = servers::path().ok().map(|path| Servers::load(&path)).transpose()?.unwrap_or_default();
        servers.choose(&wanted)
    }

    /// The project that is asked for, or the only one.
    pub(crate) async fn project(&self, name: Option<&str>) -> anyhow::Result<Project> {
        let projects = self.client.projects().await?;
        let wanted = name.or(self.common.project.as_deref()).filter(|name| !name.trim().is_empty());
        let Some(wanted) = wanted else {
            return only(projects);
        };
        let found = pick(&projects, wanted, |project| (project.id, project.name.as_str()));
        found.map(|at| projects[at].clone()).map_err(|problem| problem.of("project"))
    }

    /// The ticket that is asked for, in the project that is asked for or in any.
    pub(crate) async fn ticket(&self, wanted: &str) -> anyhow::Result<Ticket> {
        let mut tickets = Vec::new();
        if self.common.project.as_deref().is_some_and(|name| !name.trim().is_empty()) {
            tickets = self.client.tickets(self.project(None).await?.id).await?;
        } else {
            for project in self.client.projects().await? {
                tickets.extend(self.client.tickets(project.id).await?);
            }
        }
        let found = pick(&tickets, wanted, |ticket| (ticket.id, ticket.title.as_str()));
        found.map(|at| tickets.swap_remove(at)).map_err(|problem| problem.of("ticket"))
    }

    /// What waits in the inbox under this name: a checkpoint's id, or its ticket.
    pub(crate) async fn inbox_item(&self, wanted: &str) -> anyhow::Result<InboxItem> {
        let mut items = self.client.inbox().await?.items;
        if self.common.project.as_deref().is_some_and(|name| !name.trim().is_empty()) {
            let project = self.project(None).await?.id;
            items.retain(|item| item.project_id == project);
        }
        let id = |item: &InboxItem| item.checkpoint.as_ref().map_or(item.ticket_id, |checkpoint| checkpoint.id);
        // A whole id or the beginning of a checkpoint's; a title is the ticket's in both.
        let found = match pick(&items, wanted, |item| (item.ticket_id, item.title.as_str())) {
            Err(_) => pick(&items, wanted, |item| (id(item), item.title.as_str())),
            found => found,
        };
        found.map(|at| items.swap_remove(at)).map_err(|problem| problem.in_the_inbox())
    }

    /// The work order that is asked for: by its whole id, or among the newest.
    pub(crate) async fn order(&self, wanted: &str) -> anyhow::Result<WorkOrder> {
        if let Ok(id) = wanted.trim().parse() {
            return Ok(self.client.order(id).await?);
        }
        let project = match self.common.project {
            Some(_) => Some(self.project(None).await?.id),
            None => None,
        };
        let filter = OrderFilter { project, limit: Some(MOST_ORDERS), ..OrderFilter::default() };
        let mut orders = self.client.orders(&filter).await?.work_orders;
        let found = pick(&orders, wanted, |order| (order.id, order.objective.as_str()));
        found.map(|at| orders.swap_remove(at)).map_err(|problem| problem.of("work order"))
    }

    /// The schedule that is asked for.
    pub(crate) async fn schedule(&self, wanted: &str) -> anyhow::Result<Schedule> {
        let mut all = self.client.schedules().await?;
        let found = pick(&all, wanted, |schedule| (schedule.id, schedule.name.as_str()));
        found.map(|at| all.swap_remove(at)).map_err(|problem| problem.of("schedule"))
    }

    /// The coordinator that is asked for, by its name or id.
    pub(crate) async fn coordinator(&self, wanted: &str) -> anyhow::Result<Coordinator> {
        let mut all = self.client.coordinators().await?;
        let at = all.iter().position(|one| one.worker_id == wanted).map_or_else(
            || {
                let named: Vec<usize> = (0..all.len())
                    .filter(|at| {
                        let one = &all[*at];
                        one.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(wanted))
                            || one.worker_id.starts_with(wanted)
                    })
                    .collect();
                one_of(&named, wanted, |at| all[at].name.clone().unwrap_or_else(|| all[at].worker_id.clone()))
            },
            Ok,
        );
        at.map(|at| all.swap_remove(at)).map_err(|problem| problem.of("coordinator"))
    }
}

fn only(mut projects: Vec<Project>) -> anyhow::Result<Project> {
    match projects.len() {
        0 => Err(failed("there is no project yet; make one with `terarchitect projects new NAME --repo URL`")),
        1 => Ok(projects.remove(0)),
        _ => {
            let names: Vec<String> = projects.iter().map(|project| text::line(&project.name)).collect();
            Err(usage(format!(
                "there are several projects; say which with --project or TERARCHITECT_PROJECT: {}",
                names.join(", ")
            )))
        }
    }
}

/// Why a name leads to nothing.
#[derive(Debug, PartialEq, Eq)]
enum Problem {
    None(String),
    Several(String, Vec<String>),
}

impl Problem {
    fn in_the_inbox(self) -> anyhow::Error {
        match self {
            Self::None(wanted) => not_found(format!("nothing called '{}' waits in your inbox", text::line(&wanted))),
            several => several.of("waiting ticket"),
        }
    }

    fn of(self, what: &str) -> anyhow::Error {
        match self {
            Self::None(wanted) => not_found(format!("there is no {what} '{}' that you can see", text::line(&wanted))),
            Self::Several(wanted, names) => usage(format!(
                "'{}' is not the name of one {what} alone; it could be: {}",
                text::line(&wanted),
                names.join(", ")
            )),
        }
    }
}

/// Whether a thing with this id and this name is meant.
type Fits<'a> = &'a dyn Fn(Uuid, &str) -> bool;

/// Finds what is named: by its id, its name, or the beginning of either. The first of these that fits decides.
fn pick<T>(all: &[T], wanted: &str, of: impl Fn(&T) -> (Uuid, &str)) -> Result<usize, Problem> {
    let wanted = wanted.trim();
    let lower = wanted.to_lowercase();
    let id = lower.replace('-', "");
    let is_id = !id.is_empty() && id.chars().all(|c| c.is_ascii_hexdigit());
    let fits: [Fits<'_>; 4] = [
        &|own, _| is_id && own.simple().to_string() == id,
        &|_, name| name.to_lowercase() == lower,
        &|own, _| is_id && own.simple().to_string().starts_with(&id),
        &|_, name| !lower.is_empty() && name.to_lowercase().starts_with(&lower),
    ];
    for fits in fits {
        let found: Vec<usize> = (0..all.len())
            .filter(|at| {
                let (own, name) = of(&all[*at]);
                fits(own, name)
            })
            .collect();
        if !found.is_empty() {
            let told = |at: usize| {
                let (own, name) = of(&all[at]);
                format!("{} ({})", text::short_id(own), text::short(name, 40))
            };
            return one_of(&found, wanted, told);
        }
    }
    Err(Problem::None(wanted.to_owned()))
}

fn one_of(found: &[usize], wanted: &str, told: impl Fn(usize) -> String) -> Result<usize, Problem> {
    match found {
        [] => Err(Problem::None(wanted.to_owned())),
        [one] => Ok(*one),
        several => Err(Problem::Several(wanted.to_owned(), several.iter().take(5).map(|at| told(*at)).collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(wanted: &str) -> Result<usize, Problem> {
        let all: [(Uuid, &str); 4] = [
            ("ab000000-0000-4000-8000-000000000001".parse().unwrap(), "Fix the door"),
            ("ab110000-0000-4000-8000-000000000002".parse().unwrap(), "Fix the window"),
            ("cd000000-0000-4000-8000-000000000003".parse().unwrap(), "Fix"),
            ("ef000000-0000-4000-8000-000000000004".parse().unwrap(), "ab"),
        ];
        pick(&all, wanted, |one| (one.0, one.1))
    }

    #[test]
    fn an_id_a_name_or_the_beginning_of_one_is_enough() {
        assert_eq!(find("AB000000-0000-4000-8000-000000000001"), Ok(0));
        assert_eq!(find("ab11"), Ok(1));
        assert_eq!(find("fix the w"), Ok(1));
        // A whole name beats the beginning of others, and a name beats the beginning of an id.
        assert_eq!(find("fix"), Ok(2));
        assert_eq!(find("ab"), Ok(3));
    }

    #[test]
    fn what_several_could_be_is_none() {
        assert!(matches!(find("Fix the"), Err(Problem::Several(_, names)) if names.len() == 2));
        assert_eq!(find("paint"), Err(Problem::None("paint".to_owned())));
        assert_eq!(find(""), Err(Problem::None(String::new())));
    }
}
