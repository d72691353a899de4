"""Histories -> Calibration, the artefact, and the filter carried on from it by the prices since.

    sources, clock, fallback        several venues and short histories into one clock of hourly returns
    variance, recursions, paths     the filter, over a history and inside the paths
    volatility_moves, seasonality   what the residual library holds beside residuals
    tails, jumps, copula            what Monte Carlo draws from, put together in `joint_fit`, kept in `joint`
    carry, ratios, surface_moves    basis, rates and funding; collateral tokens; the surface
    archetypes, bootstrap           the upper bound
    calibration, drift              the artefact, and how far it may stand from the one before

`today`, `stress_level` and what they call are on the path of every valuation; fitting (`fit`, `joint_fit` and theirs)
may use SciPy, since its results are rounded into the artefact.
"""
