"""Reference prices and risk measures in closed form, with their sources."""
