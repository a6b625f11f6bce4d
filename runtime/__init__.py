"""The parts that every process of the server is built on. Nothing here imports an app."""
