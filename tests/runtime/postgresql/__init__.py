"""The connection to PostgreSQL."""
