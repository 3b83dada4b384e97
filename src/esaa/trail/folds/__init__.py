"""How the facts of each group of families change the state. Total: no fact makes them raise."""
