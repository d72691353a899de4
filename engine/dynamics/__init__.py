"""History -> Calibration: clock, variance, residual library, volatility moves, liquidity and the bootstrap bound."""
