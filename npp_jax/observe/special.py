"""Scaled complementary error function, safe in value and in derivative from zero to the far tail."""

from jaxtyping import Array, Float

# erfcx(x) = t P(2t - 1) with t = 3/(3 + x): P is smooth on the whole half line, so that one polynomial serves it,
# without a switch. Chebyshev expansion in extended precision, truncated at 1e-17, written in powers.
_COEFFICIENTS = (
    -2.703562432063331e-10,
    2.3183140775046786e-12,
    2.897924756345276e-09,
    -1.1893885619092368e-09,
    -1.7060807323373566e-08,
    1.6652640553590825e-08,
    7.795122669713508e-08,
    -1.3722842699705352e-07,
    -3.3293900476369915e-07,
    9.225829640201406e-07,
    1.5830094253678585e-06,
    -5.823857407636006e-06,
    -1.0132683861908937e-05,
    3.585392363681283e-05,
    9.225927134071366e-05,
    -0.00018276991424949872,
    -0.001011353998686046,
    -0.00040413887394316183,
    0.008942411541350472,
    0.039842587095666314,
    0.1034890873001944,
    0.19674278570136933,
    0.29446481772329447,
    0.3580023023627799,
)
_SCALE = 3.0


def erfcx(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Return exp(x²) erfc(x) for x ≥ 0, with a relative error of a few roundings in either precision.

    Its derivative by automatic differentiation is that of the polynomial: the identity 2x erfcx(x) - 2/√π would lose
    all digits in the tail. JAX before 0.10 has no such function, and the library's has branches.

    Parameters
    ----------
    x
        Argument, not negative. [1]
    """
    t = _SCALE / (_SCALE + x)
    u = 2.0 * t - 1.0
    value = _COEFFICIENTS[0] * u + _COEFFICIENTS[1]
    for coefficient in _COEFFICIENTS[2:]:
        value = value * u + coefficient
    return t * value
