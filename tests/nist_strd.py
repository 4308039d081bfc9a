"""Nonlinear regression sets of the NIST Statistical Reference Datasets: data, models, certified results.

Source: NIST/ITL StRD, https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml, files Misra1a.dat, Thurber.dat,
MGH09.dat and MGH10.dat. Work of the United States government, in the public domain.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


class Dataset(NamedTuple):
    x: np.ndarray
    y: np.ndarray
    model: Callable[[Array, Array], Array]
    starts: np.ndarray
    parameters: np.ndarray
    deviations: np.ndarray
    sum_of_squares: float


def _misra1a(b: Array, x: Array) -> Array:
    return b[0] * -jnp.expm1(-b[1] * x)


def _thurber(b: Array, x: Array) -> Array:
    return (b[0] + x * (b[1] + x * (b[2] + x * b[3]))) / (1.0 + x * (b[4] + x * (b[5] + x * b[6])))


def _mgh09(b: Array, x: Array) -> Array:
    return b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3])


def _mgh10(b: Array, x: Array) -> Array:
    return b[0] * jnp.exp(b[1] / (x + b[2]))


MISRA1A = Dataset(
    x=np.array([77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0]),
    y=np.array([10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78]),
    model=_misra1a,
    starts=np.array([[500.0, 0.0001], [250.0, 0.0005]]),
    parameters=np.array([2.3894212918e02, 5.5015643181e-04]),
    deviations=np.array([2.7070075241e00, 7.2668688436e-06]),
    sum_of_squares=1.2455138894e-01,
)

_THURBER = """
80.574 -3.067 84.248 -2.981 87.264 -2.921 87.195 -2.912 89.076 -2.840 89.608 -2.797 89.868 -2.702 90.101 -2.699
92.405 -2.633 95.854 -2.481 100.696 -2.363 101.060 -2.322 401.672 -1.501 390.724 -1.460 567.534 -1.274
635.316 -1.212 733.054 -1.100 759.087 -1.046 894.206 -0.915 990.785 -0.714 1090.109 -0.566 1080.914 -0.545
1122.643 -0.400 1178.351 -0.309 1260.531 -0.109 1273.514 -0.103 1288.339 0.010 1327.543 0.119 1353.863 0.377
1414.509 0.790 1425.208 0.963 1421.384 1.006 1442.962 1.115 1464.350 1.572 1468.705 1.841 1447.894 2.047
1457.628 2.200
"""
_THURBER_TABLE = np.array(_THURBER.split(), float).reshape(-1, 2)

THURBER = Dataset(
    x=_THURBER_TABLE[:, 1],
    y=_THURBER_TABLE[:, 0],
    model=_thurber,
    starts=np.array([[1000, 1000, 400, 40, 0.7, 0.3, 0.03], [1300, 1500, 500, 75, 1, 0.4, 0.05]], float),
    parameters=np.array(
        [
            1.2881396800e03,
            1.4910792535e03,
            5.8323836877e02,
            7.5416644291e01,
            9.6629502864e-01,
            3.9797285797e-01,
            4.9727297349e-02,
        ]
    ),
    deviations=np.array(
        [
            4.6647963344e00,
            3.9571156086e01,
            2.8698696102e01,
            5.5675370270e00,
            3.1333340687e-02,
            1.4984928198e-02,
            6.5842344623e-03,
        ]
    ),
    sum_of_squares=5.6427082397e03,
)

MGH09 = Dataset(
    x=np.array([4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625]),
    y=np.array([0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246]),
    model=_mgh09,
    starts=np.array([[25.0, 39.0, 41.5, 39.0], [0.25, 0.39, 0.415, 0.39]]),
    parameters=np.array([1.9280693458e-01, 1.9128232873e-01, 1.2305650693e-01, 1.3606233068e-01]),
    deviations=np.array([1.1435312227e-02, 1.9633220911e-01, 8.0842031232e-02, 9.0025542308e-02]),
    sum_of_squares=3.0750560385e-04,
)

MGH10 = Dataset(
    x=np.arange(50.0, 126.0, 5.0),
    y=np.array(
        [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872], float
    ),
    model=_mgh10,
    starts=np.array([[2.0, 400000.0, 25000.0], [0.02, 4000.0, 250.0]]),
    parameters=np.array([5.6096364710e-03, 6.1813463463e03, 3.4522363462e02]),
    deviations=np.array([1.5687892471e-04, 2.3309021107e01, 7.8486103508e-01]),
    sum_of_squares=8.7945855171e01,
)

DATASETS = {"Misra1a": MISRA1A, "Thurber": THURBER, "MGH09": MGH09, "MGH10": MGH10}
