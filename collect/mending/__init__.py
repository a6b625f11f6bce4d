"""Mends what was refused: operations on bodies, what a replay of them makes of rejections, and its preview."""
