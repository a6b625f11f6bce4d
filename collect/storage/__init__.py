"""From a row to the disk: the database, the spool while that is away, and the rejections."""
