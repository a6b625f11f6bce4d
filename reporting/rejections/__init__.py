"""Rejections by cause, as people ask for them: how many, since when, by which build, and what to tell the sender."""
