"""Profiles of couples with an exponential D(c), solved as a two-point problem in one variable."""

import numpy as np
from scipy.integrate import solve_bvp

TIME = 5e4
DEPTH = np.linspace(0.0, 200e-6, 801)


def similarity(slope: float) -> tuple[np.ndarray, np.ndarray]:
    """Profile of D = 1e-15 exp(slope c) from a step: (D c')' + 2 η c' = 0, x = 2 η √(D₀t), as a two-point problem."""
    eta = np.linspace(-8.0, 8.0, 801)
    law = lambda c: np.exp(slope * c)  # noqa: E731
    found = solve_bvp(
        lambda eta, y: np.vstack([y[1] / law(y[0]), -2.0 * eta * y[1] / law(y[0])]),
        lambda left, right: np.array([left[0], right[0] - 1.0]),
        eta,
        np.vstack([0.5 * (1.0 + np.tanh(eta / 2.0)), np.exp(-(eta**2) / 8.0)]),
        tol=1e-8,
        max_nodes=100_000,
    )
    assert found.status == 0
    scaled = (DEPTH - 100e-6) / (2.0 * np.sqrt(1e-15 * TIME))
    return DEPTH, found.sol(np.clip(scaled, -8.0, 8.0))[0]
