"""Requests kept as they came, where an operator has asked for it (docs/console.md)."""
