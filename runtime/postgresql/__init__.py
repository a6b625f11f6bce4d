"""Django's PostgreSQL backend with a bound on waiting; `base` is the name that Django looks for."""
