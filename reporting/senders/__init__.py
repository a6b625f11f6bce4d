"""What partners send: how much, how good it is, and what is wrong with a sender's clock."""
