"""Formats of moments as logs and databases write them; Django's English formats would leave out the seconds."""

DATETIME_FORMAT = "Y-m-d H:i:s"
DATE_FORMAT = "Y-m-d"
