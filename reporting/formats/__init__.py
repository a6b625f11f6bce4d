"""The forms that an answer can be given in: a terminal, files and a page, all from the same tables."""
