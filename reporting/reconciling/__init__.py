"""A partner's own list beside what is stored: what is missing, doubled, different, and what only is here."""
