"""Report runs: questions of pages whose answer takes longer than a page may, counted by a process of its own."""
