"""The arithmetic of the engine, compiled, with the same bits on every processor and for any number of threads.

Only IEEE + - * / sqrt and an explicit fma; vectorised across scenarios, reduced over positions and tails one after
the other in stored order. Kernels raise nothing; what cannot be a number is flagged. From the bottom up:

- `special`: exp, log, normal distribution and its inverse
- `black76`: European options on a forward
- `profit`: the table of profits, instruments by scenarios, tiled for the cache
- `revalue`, `revalue_tile`, `market_tile`: fill that table from moves of spot, surface, basis and rates
- `aggregate`, `selection`, `scan`: accounts by that table, and which scenarios can be in their tails, in one pass
- `narrow`, `refine`: that pass in float32 with a proven slack, and the float64 figures of what it chose
- `tail`: the door to these
- `parallel`: threads over ranges of rows
"""
