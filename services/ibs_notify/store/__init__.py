"""Durable storage on SQLite and PostgreSQL: one set of synchronous SQL functions for both."""
