"""Demo projects: a plan, recorded agent answers, and the contracts that differ from the shipped ones. Data only."""
