"""The event types of the trail, one module per family. Each type is one Struct; its docstring is its documentation."""
