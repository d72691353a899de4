"""Volatility surfaces: how they answer to a move, SVI, and the guard against static arbitrage."""
