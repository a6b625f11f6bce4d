"""Figures: each metric and dimension is defined once, and one planner answers for pages, commands and JSON."""
