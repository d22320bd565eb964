"""Schedules: runs whose children are occurrences of a flow, planned by cron, interval or a time."""
