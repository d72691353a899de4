"""What the engine is checked with, never used on the way to a report.

Closed forms, published cases, backtests and order statistics; histories, markets and books that are invented.
"""
