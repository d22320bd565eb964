"""Files of the workspaces of runs, and artifacts as files."""
