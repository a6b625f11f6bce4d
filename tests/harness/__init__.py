"""What the tests and the measurements share: databases, servers, and the rows that they begin with."""
