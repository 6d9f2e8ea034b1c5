-- Agents of the catalogue that are Claude Code or Codex, in containers like OpenCode.

alter table agents
    drop constraint agents_program_check,
    add constraint agents_program_check check (program in ('opencode', 'claude', 'codex', 'cursor'));
