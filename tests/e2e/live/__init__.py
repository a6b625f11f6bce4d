"""The page Live, as a script and as a browser read it."""
