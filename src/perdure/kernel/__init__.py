"""The run state machine: pure, no I/O, no clock, no chance."""
