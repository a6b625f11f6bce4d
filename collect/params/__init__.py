"""Asking for events by what stands in their `params`: the same answers on SQLite and on PostgreSQL."""
