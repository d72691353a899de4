"""exp, log, the normal distribution and its inverse from IEEE + - * / sqrt and fma alone: the same bits everywhere.

``*_scalar`` are inlined into other kernels; ``*_array`` are for use from Python. NaN gives NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine._jit import bits_float, float_bits, fma, inlined, kernel

Vector = NDArray[np.float64]

LOG2_E = 1.4426950408889634
LN2_HIGH = 0.6931471803691238
"""ln 2 to 32 bits, so that a product with a small integer is exact."""
LN2_LOW = 1.9082149292705877e-10
"""The rest of ln 2."""
ROUNDING = 6755399441055744.0
"""1.5 2^52: adding it rounds to an integer, which then stands in the low bits."""
ROUNDING_BITS = 0x4338000000000000
EXPONENT_TO_FLOAT = 4503599627370496.0
"""2^52, whose low bits hold a small non-negative integer exactly."""
MILLS_LIMIT = 38.6
"""Beyond it the normal tail is below the smallest float."""


@inlined
def _exp_reduced(r: float) -> float:
    """exp(r) for |r| <= ln(2)/2: Taylor's polynomial of degree 12, remainder 1.7e-16, Estrin's order."""
    r2 = r * r
    r4 = r2 * r2
    p01 = 1.0 + r
    p23 = fma(r, 1.0 / 6.0, 0.5)
    p45 = fma(r, 1.0 / 120.0, 1.0 / 24.0)
    p67 = fma(r, 1.0 / 5040.0, 1.0 / 720.0)
    p89 = fma(r, 1.0 / 362880.0, 1.0 / 40320.0)
    pab = fma(r, 1.0 / 39916800.0, 1.0 / 3628800.0)
    p03 = fma(r2, p23, p01)
    p47 = fma(r2, p67, p45)
    p8b = fma(r2, pab, p89)
    p8c = fma(r4, 1.0 / 479001600.0, p8b)
    return fma(r4, fma(r4, p8c, p47), p03)


@inlined
def exp_normal_scalar(x: float) -> float:
    """exp(x) for |x| <= 708, where result and scale are normal floats; x outside is moved to the limit."""
    x = -708.0 if x < -708.0 else x
    x = 708.0 if x > 708.0 else x
    shifted = fma(x, LOG2_E, ROUNDING)
    n = shifted - ROUNDING
    r = fma(-n, LN2_LOW, fma(-n, LN2_HIGH, x))
    # what of the rounding constant's bits is not shifted out is 0; a product, unlike a sum of bits, keeps a NaN
    return _exp_reduced(r) * bits_float((float_bits(shifted) + 1023) << 52)


@inlined
def exp_scalar(x: float) -> float:
    """exp(x) for every x: 0 below -745.2, infinite above 709.8; error below 1.5 units in the last place."""
    x = -746.0 if x < -746.0 else x
    x = 710.0 if x > 710.0 else x
    shifted = fma(x, LOG2_E, ROUNDING)
    n = shifted - ROUNDING
    r = fma(-n, LN2_LOW, fma(-n, LN2_HIGH, x))
    exponent = float_bits(shifted) - ROUNDING_BITS
    half = exponent >> 1
    # two factors, since 2^n itself overflows or is subnormal at both ends
    return _exp_reduced(r) * bits_float((half + 1023) << 52) * bits_float((exponent - half + 1023) << 52)


@inlined
def log_scalar(x: float) -> float:
    """Natural logarithm: -infinity at 0, NaN below; error below 1.5 units in the last place.

    x = m 2^e with m in [0.707, 1.414], f = m - 1, s = f/(2 + f), ln(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)) with
    R = 2 (s^2/3 + s^4/5 + ...), eleven terms, remainder 1e-18.
    """
    tiny = x < 2.2250738585072014e-308
    scaled = x * 18014398509481984.0 if tiny else x
    bits = float_bits(scaled)
    # taking off the bits of sqrt(1/2) first puts m where f is smallest, without a branch
    moved = bits - 0x3FE6A09E667F3BCD
    e = moved >> 52
    m = bits_float(bits - (e << 52))
    exponent = bits_float(float_bits(EXPONENT_TO_FLOAT) + (e + 2048)) - (EXPONENT_TO_FLOAT + 2048.0)
    exponent = exponent - 54.0 if tiny else exponent
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    r = 2.0 / 23.0
    r = fma(r, z, 2.0 / 21.0)
    r = fma(r, z, 2.0 / 19.0)
    r = fma(r, z, 2.0 / 17.0)
    r = fma(r, z, 2.0 / 15.0)
    r = fma(r, z, 2.0 / 13.0)
    r = fma(r, z, 2.0 / 11.0)
    r = fma(r, z, 2.0 / 9.0)
    r = fma(r, z, 2.0 / 7.0)
    r = fma(r, z, 2.0 / 5.0)
    r = fma(r, z, 2.0 / 3.0)
    half_square = 0.5 * f * f
    low = fma(s, fma(r, z, half_square), exponent * LN2_LOW)
    result = exponent * LN2_HIGH - ((half_square - low) - f)
    result = np.inf if x == np.inf else result
    result = -np.inf if x == 0.0 else result
    return result if x >= 0.0 else np.nan


@inlined
def mills_numerator(y: float) -> float:
    """P8 of the Mills ratio N(-y) exp(y^2/2) = P8(y)/Q9(y), y >= 0, relative error 5e-15.

    Coefficients of this project's own minimax fit of degree (8, 9); all positive, so that nothing cancels.
    """
    y2 = y * y
    y4 = y2 * y2
    p01 = fma(y, 0.7224327974209839, 0.5000000000000013)
    p23 = fma(y, 0.2302232165429051, 0.5145568888669081)
    p45 = fma(y, 0.014817460417018901, 0.07007692119130174)
    p67 = fma(y, 0.00019206968298184616, 0.002130699641737434)
    return fma(y4, fma(y4, 8.458565045810306e-06, fma(y2, p67, p45)), fma(y2, p23, p01))


@inlined
def mills_denominator(y: float) -> float:
    """Q9 of the Mills ratio; see `mills_numerator`."""
    y2 = y * y
    y4 = y2 * y2
    q01 = fma(y, 2.2427501556453135, 1.0)
    q23 = fma(y, 1.4549836833925605, 2.318569500647925)
    q45 = fma(y, 0.18095524402561772, 0.6132633494069826)
    q67 = fma(y, 0.005362074435834601, 0.03762331299283342)
    q89 = fma(y, 2.1202478306047046e-05, 0.00048144729817183805)
    return fma(y4, fma(y4, q89, fma(y2, q67, q45)), fma(y2, q23, q01))


@inlined
def normal_cdf_scalar(x: float) -> float:
    """Probability that a standard normal variable is at most x; relative error 1e-14 in the lower tail."""
    y = abs(x)
    y = MILLS_LIMIT if y > MILLS_LIMIT else y
    square = y * y
    # the rounding error of y^2 would be worth 1e-13 of the tail at y = 37
    lost = fma(y, y, -square)
    density = exp_scalar(-0.5 * square) * fma(-0.5, lost, 1.0)
    tail = density * mills_numerator(y) / mills_denominator(y)
    return 1.0 - tail if x > 0.0 else tail


@inlined
def _ratio7(
    x: float,
    p0: float, p1: float, p2: float, p3: float, p4: float, p5: float, p6: float, p7: float,
    q1: float, q2: float, q3: float, q4: float, q5: float, q6: float, q7: float,
) -> float:  # fmt: skip
    """Quotient of two polynomials of degree 7, the denominator with constant 1, by Horner's rule."""
    p = fma(fma(fma(fma(fma(fma(fma(p7, x, p6), x, p5), x, p4), x, p3), x, p2), x, p1), x, p0)
    q = fma(fma(fma(fma(fma(fma(fma(q7, x, q6), x, q5), x, q4), x, q3), x, q2), x, q1), x, 1.0)
    return p / q


@inlined
def inverse_normal_cdf_scalar(p: float) -> float:
    """The x with ``normal_cdf_scalar(x) = p``; infinite at 0 and 1, NaN outside; relative error 5e-16.

    M. J. Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37 (1988) 477-484: its three regions and constants.
    """
    q = p - 0.5
    if abs(q) <= 0.425:
        return q * _ratio7(
            0.180625 - q * q,
            3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
            4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3,
            4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
            3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3,
        )  # fmt: skip
    if not 0.0 < p < 1.0:
        return -np.inf if p == 0.0 else np.inf if p == 1.0 else np.nan
    r = np.sqrt(-log_scalar(p if q < 0.0 else 1.0 - p))
    if r <= 5.0:
        x = _ratio7(
            r - 1.6,
            1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
            1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4,
            2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
            1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9,
        )  # fmt: skip
    else:
        x = _ratio7(
            r - 5.0,
            6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
            2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
            5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
            1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15,
        )  # fmt: skip
    return -x if q < 0.0 else x


@kernel
def _exp_into(x: Vector, out: Vector) -> None:
    for j in range(x.size):
        out[j] = exp_scalar(x[j])


@kernel
def _log_into(x: Vector, out: Vector) -> None:
    for j in range(x.size):
        out[j] = log_scalar(x[j])


@kernel
def _normal_cdf_into(x: Vector, out: Vector) -> None:
    for j in range(x.size):
        out[j] = normal_cdf_scalar(x[j])


@kernel
def _inverse_normal_cdf_into(p: Vector, out: Vector) -> None:
    for j in range(p.size):
        out[j] = inverse_normal_cdf_scalar(p[j])


def _elementwise(fill: Callable[..., None], x: ArrayLike) -> Vector:
    values = np.ascontiguousarray(x, dtype=np.float64)
    out = np.empty_like(values)
    fill(values.ravel(), out.ravel())
    return out.reshape(np.shape(x))


def exp_array(x: ArrayLike) -> Vector:
    """Return exp(x), element by element, in the shape of `x`; see `exp_scalar`."""
    return _elementwise(_exp_into, x)


def log_array(x: ArrayLike) -> Vector:
    """Return the natural logarithm of `x` in its shape; -infinity at 0 and NaN below; see `log_scalar`."""
    return _elementwise(_log_into, x)


def normal_cdf_array(x: ArrayLike) -> Vector:
    """Return the standard normal distribution function at `x`, in its shape; see `normal_cdf_scalar`."""
    return _elementwise(_normal_cdf_into, x)


def inverse_normal_cdf_array(p: ArrayLike) -> Vector:
    """Return the standard normal quantile of `p`, in its shape; see `inverse_normal_cdf_scalar`."""
    return _elementwise(_inverse_normal_cdf_into, p)
