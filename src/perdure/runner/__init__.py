"""The shell that moves runs: claim, drive, perform, and the timers."""
