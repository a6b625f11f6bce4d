"""The rollup: events counted by quarter-hours, again and again, so that a question about months reads few rows."""
