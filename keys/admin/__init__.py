"""The console's pages of this app; importing them registers them."""

from keys.admin import api_keys, changes, partners, users

__all__ = ["api_keys", "changes", "partners", "users"]
