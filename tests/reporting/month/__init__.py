"""A month of events of which every figure is known: by counting while they are invented, never by a query."""
