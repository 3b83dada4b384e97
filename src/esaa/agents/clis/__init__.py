"""The command lines that people use, driven without a person: Claude Code, Codex and Gemini CLI."""
