"""One file per sub-command: the only place where all rooms meet."""
