"""What a page of the console may do in a browser, and what hostile text may not."""
