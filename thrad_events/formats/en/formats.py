"""Formats of moments as logs and databases write them; Django's own leave out the seconds and the zone."""

DATETIME_FORMAT = "Y-m-d H:i:s T"
DATE_FORMAT = "Y-m-d"
