"""Where events and folded states are kept. The log is the truth; everything else here is disposable."""
