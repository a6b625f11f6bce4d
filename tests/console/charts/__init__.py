"""Pictures of numbers, and their colours."""
