"""The command line: it parses, calls and renders. No rules live here."""
