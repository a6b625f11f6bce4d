"""What `manage.py` does to many events at a time, as functions; the commands only hand over their options.

Each works in steps that are committed one by one, remembers how far it came (`Run`), and ends in the same state
however often it was interrupted or run.
"""
