"""What foreign code runs in: a process of its own, closed the code begins."""
