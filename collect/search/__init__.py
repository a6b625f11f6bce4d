"""The search index: which events have an id, at any age. It is written behind the events' back, never on their way."""
