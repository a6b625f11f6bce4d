"""Tests in a real browser, Debian's Chromium: what a person at the console sees, and what the browser says of it."""
