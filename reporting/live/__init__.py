"""The stream of events and rejections, told whole to whoever watches it."""
