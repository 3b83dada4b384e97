"""Agents behind one port: a context goes in, bytes come out. An agent can append nothing and write nothing."""
