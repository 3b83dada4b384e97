"""Tools for developers and tests that ship with the package. They are no part of a run."""
