"""Moments as logs and databases write them; Django's English would leave the seconds out."""

DATETIME_FORMAT = "Y-m-d H:i:s"
DATE_FORMAT = "Y-m-d"
