"""Every row of faults in docs/operations.md, with a real gunicorn and a real PostgreSQL, broken for real."""
