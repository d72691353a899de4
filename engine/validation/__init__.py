"""What the engine is checked with: closed forms, order statistics, published cases, and a simulated history."""
