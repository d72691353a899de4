"""Talking to a chain: endpoints, contract calls at a block hash, transactions, a local chain."""
