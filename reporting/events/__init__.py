"""Events one by one: found by an id, explained, and shown with what belongs to them."""
