"""From a row to the disk: the database, the spool while the database is away, and the rejections."""
