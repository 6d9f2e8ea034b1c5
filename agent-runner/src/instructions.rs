//! What coding agents read as configuration or instructions, wherever it lies in a repository.
//!
//! The author of such a file decides what an agent does, and some of them run code as soon as an agent starts. So they
//! are the base branch's, which people have reviewed, and never the ticket's branch's: see [`crate::git`].

/// What one agent reads.
#[derive(Debug)]
pub struct Row {
    /// The agent.
    pub agent: &'static str,
    /// Names of files, and of directories with a slash at their end. One with a directory before it is read only there.
    pub reads: &'static [&'static str],
}

/// From each agent's documentation. `.env` files are not among them: programs read those as well.
pub const TABLE: &[Row] = &[
    // https://opencode.ai/docs/rules, /config, /plugins, /skills
    Row {
        agent: "OpenCode",
        reads: &[
            "AGENTS.md",
            "CLAUDE.md",
            "CONTEXT.md",
            "opencode.json",
            "opencode.jsonc",
            ".opencode/",
            ".claude/",
            ".agents/",
        ],
    },
    // https://code.claude.com/docs/en/memory, /settings, /hooks, /mcp
    Row { agent: "Claude Code", reads: &["CLAUDE.md", "CLAUDE.local.md", ".claude/", ".mcp.json"] },
    // https://developers.openai.com/codex/guides/agents-md, /config
    Row { agent: "Codex", reads: &["AGENTS.md", "AGENTS.override.md", ".codex/", ".agents/"] },
    // https://geminicli.com/docs/cli/gemini-md, /configuration
    Row { agent: "Gemini CLI", reads: &["GEMINI.md", ".gemini/", ".agents/"] },
    // https://qwenlm.github.io/qwen-code-docs
    Row { agent: "Qwen Code", reads: &["QWEN.md", "AGENTS.md", ".qwen/", ".agents/"] },
    // https://moonshotai.github.io/kimi-cli
    Row { agent: "Kimi", reads: &["AGENTS.md", ".kimi/", ".kimi-code/", ".agents/", ".mcp.json"] },
    // https://docs.github.com/copilot/reference/custom-instructions-support
    Row {
        agent: "Copilot",
        reads: &[
            "AGENTS.md",
            "CLAUDE.md",
            "GEMINI.md",
            ".copilot/",
            ".github/copilot-instructions.md",
            ".github/instructions/",
            ".github/prompts/",
            ".github/agents/",
            ".github/skills/",
            ".github/hooks/",
            ".github/copilot/",
            ".github/mcp.json",
            ".vscode/mcp.json",
            ".mcp.json",
            ".claude/",
            ".agents/",
        ],
    },
    // https://docs.cursor.com/context/rules
    Row { agent: "Cursor", reads: &["AGENTS.md", "CLAUDE.md", ".cursorrules", ".cursor/"] },
    // What verifies later tickets: no agent's, but people should see as well that an agent changed it.
    Row { agent: "Terarchitect", reads: &[".terarchitect.toml"] },
];

/// Where the part of a path begins that an agent reads, as an index of its bytes; none if no agent reads the path. Upper
/// and lower case are the same, since some file systems don't tell them apart.
#[must_use]
pub fn read_by_agents(path: &[u8]) -> Option<usize> {
    let mut starts = Vec::from([0]);
    starts.extend(path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at + 1));
    starts.into_iter().find(|&start| {
        let rest = &path[start..];
        may_begin(rest) && TABLE.iter().flat_map(|row| row.reads).any(|name| begins_with(rest, name.as_bytes()))
    })
}

/// Whether any name of the table begins like this. Almost no path of a large repository goes further than here.
fn may_begin(path: &[u8]) -> bool {
    path.first().is_some_and(|first| matches!(first.to_ascii_lowercase(), b'.' | b'a' | b'c' | b'g' | b'o' | b'q'))
}

/// Whether a path is what is read or lies below it. A file in a directory's place counts, and a directory in a file's.
fn begins_with(path: &[u8], name: &[u8]) -> bool {
    let name = name.strip_suffix(b"/").unwrap_or(name);
    let Some((start, rest)) = path.split_at_checked(name.len()) else { return false };
    start.eq_ignore_ascii_case(name) && (rest.is_empty() || rest[0] == b'/')
}

/// The paths that a text of instructions takes other files' text from, as in `see @docs/style.md`, as they are written.
#[must_use]
pub fn imports(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '`' | '(' | ')' | '"' | '\''));
    let paths = words.filter_map(|word| word.strip_prefix('@')).map(|path| path.trim_end_matches(['.', ',', ';', ':']));
    paths.filter(|path| !path.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_at_the_top_and_in_any_folder_in_any_case() {
        for row in TABLE {
            for name in row.reads {
                let path = if name.ends_with('/') { format!("{name}sub/file.js") } else { (*name).to_owned() };
                assert_eq!(read_by_agents(path.as_bytes()), Some(0), "{}: {path}", row.agent);
                let deep = format!("a/ü b/{}", path.to_uppercase());
                assert_eq!(read_by_agents(deep.as_bytes()), Some(7), "{}: {deep}", row.agent);
            }
        }
    }

    #[test]
    fn what_no_agent_reads_is_the_branchs_own() {
        for path in [
            "README.md",
            "src/main.rs",
            "docs/agents.md.txt",
            "AGENTS.mdx",
            "xAGENTS.md",
            ".github/workflows/ci.yml",
            ".vscode/settings.json",
            ".env",
            "opencode/plugin/a.js",
            ".opencodex/a.js",
            "",
        ] {
            assert_eq!(read_by_agents(path.as_bytes()), None, "{path}");
        }
    }

    #[test]
    fn a_directory_in_a_files_place_counts_and_a_file_in_a_directorys() {
        assert_eq!(read_by_agents(b"AGENTS.md/x"), Some(0));
        assert_eq!(read_by_agents(b"pkg/.opencode"), Some(4));
    }

    #[test]
    fn imports_are_found_as_agents_find_them() {
        let text = "Read @docs/style.md, and `@./rules/a.md`.\nWrite to me@example.com.\n@README.md";
        assert_eq!(imports(text), ["docs/style.md", "./rules/a.md", "README.md"]);
    }
}
