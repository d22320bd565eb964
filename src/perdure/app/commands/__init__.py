"""The commands, a module for each kind of thing. Each imports what it needs when it is called, to start fast."""
