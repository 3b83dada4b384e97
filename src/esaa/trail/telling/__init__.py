"""How the governed run is told: what no single event of its log says. Pure."""
