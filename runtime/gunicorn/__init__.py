"""The parts of gunicorn that this server replaces (docs/decisions/0008)."""
