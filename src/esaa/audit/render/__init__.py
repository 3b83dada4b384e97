"""Reports as files: JSON, CSV, HTML, Markdown and PDF. All text from events is shown, never obeyed."""
