"""A loopback server that speaks the APIs of three model vendors and answers by a script. No model is asked."""
