"""The database's views for people's own tools, and the one home of every column that is derived from an event."""
