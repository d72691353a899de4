"""What was measured of Deribit's surfaces, for documents that state only a part of it.

Source: github.com/znmahbub/SVCJ-Deribit-Inverse-Options-Pricer at 516b0cb0, public market data of Deribit, 931
snapshots about six hours apart, 30 December 2025 to 22 August 2026; moves over 24 hours. Four significant digits.
"""

from __future__ import annotations

TENOR_FIELDS = (
    "tenor_days", "mean_atm_iv", "mean_skew_dsigma_dk", "dln_atm_1d_sd", "dln_atm_1d_q01", "dln_atm_1d_q99",
    "dln_atm_1d_min", "dln_atm_1d_max", "basis_yield_change_q01", "basis_yield_change_q99",
)  # fmt: skip
TENORS = {
    "BTC": (
        (7, 0.4193, -0.7094, 0.08462, -0.1915, 0.2649, -0.5602, 0.6054, -0.1306, 0.1467),
        (14, 0.4152, -0.5243, 0.06226, -0.1325, 0.1905, -0.4931, 0.5331, -0.06224, 0.06302),
        (30, 0.4155, -0.3769, 0.04405, -0.0917, 0.1362, -0.4258, 0.4374, -0.03548, 0.03206),
        (60, 0.42, -0.2571, 0.03176, -0.06587, 0.1008, -0.322, 0.3193, -0.01785, 0.01427),
        (90, 0.4286, -0.2064, 0.02498, -0.05344, 0.07222, -0.2582, 0.2582, -0.013, 0.01013),
        (180, 0.4499, -0.1371, 0.01517, -0.03153, 0.04261, -0.1582, 0.1549, -0.007512, 0.006969),
    ),
    "ETH": (
        (7, 0.5669, -0.4646, 0.07791, -0.174, 0.2432, -0.4203, 0.5244, -0.171, 0.1955),
        (14, 0.5695, -0.3209, 0.05312, -0.1177, 0.1841, -0.3444, 0.3505, -0.07033, 0.07907),
        (30, 0.5799, -0.2167, 0.03357, -0.06985, 0.1228, -0.2402, 0.2428, -0.03618, 0.03831),
        (60, 0.591, -0.1408, 0.02208, -0.05041, 0.07172, -0.149, 0.1656, -0.01656, 0.0217),
        (90, 0.6001, -0.112, 0.01681, -0.03912, 0.05551, -0.1022, 0.123, -0.01296, 0.01459),
        (180, 0.6177, -0.07085, 0.009901, -0.02419, 0.033, -0.04809, 0.06736, -0.007783, 0.007593),
    ),
}  # fmt: skip

RETURN_FIELDS = ("sd", "q005", "q995", "min", "max")
RETURNS = {
    "BTC": (0.02362, -0.07912, 0.08087, -0.1352, 0.1118),
    "ETH": (0.03249, -0.1008, 0.1058, -0.1326, 0.1765),
}


def reference_cases(currency: str) -> list[dict[str, object]]:
    """Return the tenors and the returns of a currency in the form of published cases; none if it was not measured."""
    tenors = [dict(zip(TENOR_FIELDS, row, strict=True)) for row in TENORS.get(currency, ())]
    returns = [dict(zip(RETURN_FIELDS, RETURNS[currency], strict=True))] if currency in RETURNS else []
    return [{"currency": currency, **fields} for fields in (*tenors, *returns)]
