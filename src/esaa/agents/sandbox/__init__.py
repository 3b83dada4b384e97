"""What confines the programs that agents and checks start: bubblewrap, else Landlock, else nothing."""
