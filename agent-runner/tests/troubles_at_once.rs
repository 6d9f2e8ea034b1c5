//! Tickets that meet several troubles at once: each still ends with its work kept, and each failure on the way is one
//! clear sentence.
//!
//! The nine troubles lie on a square of three by three. Each of its twelve lines (rows, columns and both kinds of
//! diagonals) is one ticket with three troubles, and any two troubles share exactly one line: so every pair is met.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod opencode_support;
mod ticket_support;

use terarchitect_agent_runner::attempt::AttemptError;
use terarchitect_testbed::chat::Script;
use terarchitect_testbed::forge::{Answer, Faults};
use ticket_support::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    HookDeclines,
    DirectorIsRefused,
    PushesFail,
    ForgeFailsForAMoment,
    PullsAreLimited,
    DirectorTalks,
    BaseMovedOn,
    BranchInstructs,
    OddFiles,
}

use Trouble::*;

const SQUARE: [[Trouble; 3]; 3] = [
    [HookDeclines, DirectorIsRefused, PushesFail],
    [ForgeFailsForAMoment, PullsAreLimited, DirectorTalks],
    [BaseMovedOn, BranchInstructs, OddFiles],
];

const REFUSED: &str = r#"{"when": {"model": "scripted-director", "contains": "Phase: turn-review"},
    "reply": {"status": 401}}"#;
const TALK: &str = r#"{"when": {"model": "scripted-director", "contains": "Phase: turn-review"}, "times": 1,
    "reply": {"text": "That looks fine to me."}}"#;
const ODD_FILES: &str = r#"{"when": {"model": "scripted-coder", "contains": "Phase: execution", "after_tool": false},
    "times": 1, "reply": {"text": "I try something.", "tools": [{"name": "bash", "arguments": {
        "description": "Leave odd files",
        "command": "echo 'echo \"Hello, $1!\"' > greet.sh && git init -q vendor/nested && echo a > vendor/nested/a.txt && git -C vendor/nested remote add origin https://git.example/x.git && mkfifo pipe && ln -s /etc/passwd outward"}}]}}"#;

impl Trouble {
    /// What a failure says that only this trouble causes; none for a trouble that fails no attempt.
    fn sentence(self) -> Option<&'static str> {
        match self {
            HookDeclines => Some("no ticket number"),
            DirectorIsRefused => Some("401"),
            PushesFail => Some("503"),
            _ => None,
        }
    }

    fn script(self) -> Option<&'static str> {
        match self {
            DirectorIsRefused => Some(REFUSED),
            DirectorTalks => Some(TALK),
            OddFiles => Some(ODD_FILES),
            _ => None,
        }
    }

    fn begin(self, world: &World, faults: &mut Faults) {
        let answer = |status, times, body| Some(Answer { status, times, headers: &[], body });
        match self {
            HookDeclines => {
                let hook = hook(world);
                std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
                std::fs::write(&hook, "#!/bin/sh\necho 'no ticket number' >&2\nexit 1\n").unwrap();
                std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            }
            PushesFail => faults.push_answer = answer(503, u32::MAX, ""),
            ForgeFailsForAMoment => faults.git_answer = answer(502, 2, ""),
            PullsAreLimited => faults.rest_answer = answer(403, 1, "You have exceeded a secondary rate limit."),
            BaseMovedOn => {
                on_the_branch(world, &[("earlier.txt", "earlier\n")]);
                world.checkout().change("main", &[("news.txt", "news\n")]);
            }
            BranchInstructs => {
                on_the_branch(world, &[("AGENTS.md", "BRANCH-MARK\n"), ("pkg/CLAUDE.md", "BRANCH-MARK\n")]);
            }
            DirectorIsRefused | DirectorTalks | OddFiles => {}
        }
    }

    fn end(self, world: &World) {
        match self {
            HookDeclines => std::fs::remove_file(hook(world)).unwrap(),
            PushesFail => world.forge.set_faults(Faults::default()),
            _ => {}
        }
    }

    fn check(self, world: &World) {
        match self {
            ForgeFailsForAMoment => assert!(!world.logs("retry").is_empty()),
            BaseMovedOn => {
                assert_eq!(world.on_branch("news.txt").as_deref(), Some("news\n"));
                assert_eq!(world.on_branch("earlier.txt").as_deref(), Some("earlier\n"));
            }
            BranchInstructs => {
                assert!(!world.chat.requests().iter().any(|request| request.body.to_string().contains("BRANCH-MARK")));
                assert_eq!(world.on_branch("AGENTS.md").as_deref(), Some("BRANCH-MARK\n"));
                assert!(world.forge.pulls("demo", "hello")[0].body.contains("- `pkg/CLAUDE.md (new)`"));
            }
            OddFiles => {
                let said = world.logs("left_out")[0]["raw_output"].as_str().unwrap().to_owned();
                assert!(said.contains("vendor/nested/: it is a repository of its own"), "{said}");
                assert!(said.contains("pipe: it is a pipe"), "{said}");
                assert_eq!(world.on_branch("outward").as_deref(), Some("/etc/passwd"));
            }
            HookDeclines | DirectorIsRefused | PushesFail | PullsAreLimited | DirectorTalks => {}
        }
    }
}

fn hook(world: &World) -> std::path::PathBuf {
    world.forge.repo_path("demo", "hello").join("hooks/pre-receive")
}

/// Commits to the ticket's branch as an earlier attempt, or a person, would.
fn on_the_branch(world: &World, files: &[(&str, &str)]) {
    let (branch, checkout) = (format!("ticket-{}", world.ticket), world.checkout());
    let exists = world.forge.git("demo", "hello", &["rev-parse", "--verify", "--quiet", &branch]).is_ok();
    if !exists {
        checkout.git(&["checkout", "--quiet", "-b", &branch]);
    }
    checkout.change(&branch, files);
}

/// The demonstration's script, with what these troubles make of it in front.
fn script_of<'a>(troubles: impl Iterator<Item = &'a Trouble>) -> Script {
    let mut script = Script::demo();
    let rules = troubles.filter_map(|trouble| trouble.script());
    script.rules.splice(0..0, rules.map(|rule| serde_json::from_str(rule).unwrap()).collect::<Vec<_>>());
    script
}

/// One attempt that does not wait long for a remote that fails.
async fn attempt(world: &World) -> Result<(), AttemptError> {
    let api = world.forge.api_url();
    world.attempt(&["--github-api-url", &api, "--git-patience-sec", "4"]).await.map(drop)
}

/// A ticket from beginning to end; people take each trouble away that fails an attempt.
async fn a_ticket_meets(troubles: [Trouble; 3]) {
    let Some(world) = World::start(script_of(troubles.iter())).await else { return };
    let mut faults = Faults::default();
    // The hook is there last, since it would decline what people push as well.
    for trouble in troubles.iter().rev() {
        trouble.begin(&world, &mut faults);
    }
    world.forge.set_faults(faults);
    let mut failing: Vec<Trouble> = troubles.into_iter().filter(|trouble| trouble.sentence().is_some()).collect();
    while let Err(error) = attempt(&world).await {
        let said = error.chain();
        let at = failing.iter().position(|trouble| said.contains(trouble.sentence().unwrap()));
        let trouble = failing.remove(at.unwrap_or_else(|| panic!("{troubles:?}: {said}")));
        assert!(!said.contains('\n') && said.len() < 600, "{troubles:?}: one sentence: {said}");
        assert_eq!(world.logs("failed").last().unwrap()["summary"].as_str().unwrap(), said, "{troubles:?}");
        trouble.end(&world);
        world
            .chat
            .set_script(script_of(troubles.iter().filter(|one| **one != DirectorIsRefused || failing.contains(one))));
    }
    assert!(failing.is_empty(), "{troubles:?}: {failing:?} failed nothing");
    assert_eq!(world.forge.pulls("demo", "hello").len(), 1, "{troubles:?}");
    assert!(world.on_branch("greet.sh").unwrap().contains("Hello"), "{troubles:?}");
    let branch = format!("ticket-{}", world.ticket);
    for entry in world.logs("commit") {
        let (id, _) = entry["summary"].as_str().unwrap().split_once(':').unwrap();
        let kept = world.forge.git("demo", "hello", &["merge-base", "--is-ancestor", id, &branch]);
        assert!(kept.is_ok(), "{troubles:?}: the commit {id} is lost");
    }
    for trouble in troubles {
        trouble.check(&world);
    }
}

/// The three lines that go in this direction.
async fn all_in_direction(line: impl Fn(usize, usize) -> Trouble) {
    for start in 0..3 {
        a_ticket_meets([line(start, 0), line(start, 1), line(start, 2)]).await;
    }
}

#[tokio::test]
async fn rows() {
    all_in_direction(|start, step| SQUARE[start][step]).await;
}

#[tokio::test]
async fn columns() {
    all_in_direction(|start, step| SQUARE[step][start]).await;
}

#[tokio::test]
async fn falling_diagonals() {
    all_in_direction(|start, step| SQUARE[step][(start + step) % 3]).await;
}

#[tokio::test]
async fn rising_diagonals() {
    all_in_direction(|start, step| SQUARE[step][(start + 2 * step) % 3]).await;
}
