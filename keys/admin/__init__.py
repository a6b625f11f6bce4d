"""The console's pages of this app; importing them registers them."""

from keys.admin import api_keys, partners, users

__all__ = ["api_keys", "partners", "users"]
