"""The ledger of outcomes: counted in memory, written down every few seconds, and never counted twice."""
