"""The console's pages; importing them registers them."""

from console.admin import api_keys, events, key_changes, partners, rejections, users

__all__ = ["api_keys", "events", "key_changes", "partners", "rejections", "users"]
