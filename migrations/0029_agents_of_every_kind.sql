-- Agents of the catalogue may be any program that runners can drive.

alter table agents
    drop constraint agents_program_check,
    add constraint agents_program_check check (program in ('opencode', 'opencode-acp', 'claude', 'codex', 'gemini', 'qwen', 'kimi',
        'copilot', 'command', 'cursor'));
