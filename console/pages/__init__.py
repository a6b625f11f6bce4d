"""The console's own pages, beside those of the admin."""
