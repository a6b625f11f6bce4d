"""Django's PostgreSQL backend with a limit on waiting. Django looks for a module named `base`."""
