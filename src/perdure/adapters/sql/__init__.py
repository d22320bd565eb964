"""Runs, records and deliveries in SQLite and Postgres."""
