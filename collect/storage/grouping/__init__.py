"""Rejections by cause: groups, their counts by minute and build, and the builds that send with a key."""
