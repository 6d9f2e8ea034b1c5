//! The real agent in a repository whose ticket's branch tells it what to do: it takes the base branch's word alone.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should fail where it stands")]

mod opencode_support;
mod ticket_support;

use terarchitect_testbed::chat::Script;
use ticket_support::World;

/// What the agent does in its turn: it reads a file in a folder that has instructions, and changes another.
const TURN: &str = r#"{"when": {"model": "scripted-coder", "contains": "Phase: execution", "after_tool": false}, "reply":
    {"text": "I look around.", "tools": [
        {"name": "read", "arguments": {"filePath": "{{cwd}}/pkg/note.txt"}},
        {"name": "write", "arguments": {"filePath": "{{cwd}}/done.txt", "content": "done\n"}}]}}"#;
/// A plugin that leaves a file behind as soon as it is loaded.
const PLUGIN: &str = "import { writeFileSync } from 'fs'\n\
    export const Marker = async ({ directory }) => { writeFileSync(directory + '/plugin-ran', 'x'); return {} }\n";
const SKILL: &str = "---\nname: marked\ndescription: SKILL-MARK\n---\nSKILL-MARK\n";

const FILES: &[(&str, &str)] = &[
    (".opencode/plugin/marker.js", PLUGIN),
    (".opencode/plugins/marker.js", PLUGIN),
    (".opencode/skill/marked/SKILL.md", SKILL),
    (".claude/skills/marked/SKILL.md", SKILL),
    (".agents/skills/marked/SKILL.md", SKILL),
    ("pkg/AGENTS.md", "FOLDER-MARK\n"),
    ("AGENTS.md", "TOP-MARK\n"),
    ("opencode.json", r#"{"instructions": ["TOP-MARK"]}"#),
    ("pkg/note.txt", "note\n"),
];

fn script() -> Script {
    let mut script = Script::demo();
    script.rules.insert(0, serde_json::from_str(TURN).unwrap());
    script
}

fn saw(world: &World, mark: &str) -> bool {
    world.chat.requests().iter().any(|request| request.body.to_string().contains(mark))
}

#[tokio::test]
async fn what_the_ticket_s_branch_says_to_agents_is_neither_run_nor_read() {
    let Some(world) = World::start(script()).await else { return };
    let branch = format!("ticket-{}", world.ticket);
    let checkout = world.checkout();
    checkout.git(&["checkout", "--quiet", "-b", &branch]);
    checkout.change(&branch, FILES);
    world.attempt_with_pulls().await.unwrap();
    for mark in ["FOLDER-MARK", "TOP-MARK", "SKILL-MARK"] {
        assert!(!saw(&world, mark), "{mark}");
    }
    assert_eq!(world.on_branch("plugin-ran"), None);
    assert_eq!(world.on_branch("done.txt").unwrap(), "done\n");
    for (path, text) in FILES {
        assert_eq!(world.on_branch(path).as_deref(), Some(*text), "{path}");
    }
    let said = world.logs("instructions");
    assert!(
        said[0]["summary"].as_str().unwrap().starts_with("The agent sees these files as they are in main"),
        "{said:?}"
    );
    let pulls = world.forge.pulls("demo", "hello");
    let body = &pulls[0].body;
    assert!(body.contains("### Review these first"), "{body}");
    for (path, _) in &FILES[..FILES.len() - 1] {
        assert!(body.contains(&format!("- `{path} (new)`")), "{path}: {body}");
    }
    assert!(!body.contains("pkg/note.txt (new)"), "{body}");
}

#[tokio::test]
async fn what_the_base_says_to_agents_is_read() {
    let Some(world) = World::start(script()).await else { return };
    world.checkout().change("main", FILES);
    world.attempt_with_pulls().await.unwrap();
    assert!(saw(&world, "FOLDER-MARK") && saw(&world, "TOP-MARK") && saw(&world, "SKILL-MARK"));
    assert!(world.logs("instructions").is_empty());
    let pulls = world.forge.pulls("demo", "hello");
    assert!(!pulls[0].body.contains("Review these first"));
}
