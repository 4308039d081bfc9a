"""How well a measurement would tell two models apart."""

import numpy as np

from npp_jax.planning.information import Information, Matrix


def expected_delta_chi2(true: Information, wrong: Information, known: Matrix) -> float:
    """By how much the χ² of a wrong model is expected to rise, with its parameters refitted.

    With d the difference of the signals over their standard deviations, J the slopes of the wrong model and K what is
    known of its parameters, the least of |d - J x|² + xᵀ K x is dᵀ (1 + J K⁻¹ Jᵀ)⁻¹ d (to first order in x; the
    criterion of Atkinson and Fedorov, Biometrika 62 (1975) 57, for a linearised rival with prior data).

    Parameters
    ----------
    true, wrong
        What the measurement would show if each of the models were right, each at its best parameters.
    known
        Information about the parameters of the wrong model from the data so far.
    """
    slopes = np.concatenate([wrong.slope, wrong.unknown], axis=1) * true.weight[:, None]
    count = len(known)
    held = np.eye(slopes.shape[1])
    held[:count, :count] = known
    difference = (true.signal - wrong.signal) * true.weight
    pulled = slopes.T @ difference
    return float(difference @ difference - pulled @ np.linalg.solve(held + slopes.T @ slopes, pulled))
