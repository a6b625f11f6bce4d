"""HTTP itself: connections, hosts, versions."""
