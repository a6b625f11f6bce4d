"""An event in a file: which formats there are, and how each is read and written."""
