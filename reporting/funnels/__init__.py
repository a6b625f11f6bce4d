"""Funnels: how many actors came from one step to the next, in how long, and where the others stayed."""
