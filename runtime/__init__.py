"""What every process of the server stands on. Nothing here imports an app."""
