"""Calibration + market -> ordered sets of joint factor moves with a content hash.

`drawn` names every set of a horizon: `historical` paths, and `montecarlo` of `sobol` points through `variates`.
`stress` is the weighted list, `matrix` what venues publish.
"""
