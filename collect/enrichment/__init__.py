"""What the server adds to an event: the place of its address, the parts of its user agent, the tag of its page."""
