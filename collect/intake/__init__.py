"""What a sender may say: a request's body becomes a typed event, or a refusal that names every fault."""
