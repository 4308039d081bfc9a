"""Ni-Mo diffusion couple of pyDiffusion (1100 °C, 1000 h): its published D(X) simulated, and set beside the profile.

Usage: python benchmarks/nimo_couple.py FOLDER

FOLDER holds NiMo.csv (DC, X, dis) and NiMo_exp.csv (X, dis) of the package pydiffusion. Between two phases X jumps; D
there is `GAP`, so small that the boundary is thinner than the distance of two measured points.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

import npp_jax as npp

GAP, EDGE = 1e-18, 0.002
"""D between phases [m²/s], and the share of the gap over which D falls to it."""
JUMP = 0.1
SECONDS = 3.6e6
BEFORE, BEHIND = 300e-6, 65e-6
"""Length of the couple before the first and behind the last measured point [m]."""


def published_law(X: np.ndarray, D: np.ndarray) -> npp.SplineDiffusivity:
    """Every sixth row of the table, and the gaps between phases."""
    rows: list[tuple[float, float]] = []
    for k in range(len(X)):
        ends = {k - 1, k} & set(np.flatnonzero(np.diff(X) > JUMP).tolist())
        if k % 6 == 0 or ends or k == len(X) - 1:
            rows.append((X[k], D[k]))
        if k < len(X) - 1 and X[k + 1] - X[k] > JUMP:
            edge = EDGE * (X[k + 1] - X[k])
            rows += [(X[k] + edge, GAP), (X[k + 1] - edge, GAP)]
    table = np.array(rows)
    return npp.SplineDiffusivity(jnp.asarray(table[:, 0]), jnp.asarray(table[:, 1]))


def main() -> None:
    """Simulate and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    told, seen = (np.genfromtxt(folder / f"{n}.csv", delimiter=",", names=True) for n in ("NiMo", "NiMo_exp"))
    new = np.concatenate([[True], np.diff(told["X"]) > 1e-9])
    law = published_law(told["X"][new], told["DC"][new])
    # Nickel and molybdenum: at the first and last measured point diffusion has arrived already, and with the fractions
    # there mean |dX| is twice as large.
    left, right = 0.0, 1.0
    depth, X = seen["dis"] * 1e-6, seen["X"]
    # The plane of Matano holds the amounts on its two sides.
    start = npp.boltzmann_matano(depth, X, SECONDS, ends=(left, right)).matano
    couple = npp.Experiment(
        sample=npp.Sample(thickness=BEFORE + depth[-1] + BEHIND, permittivity=9.0, bulk_density=8e28),
        species=(npp.Species("Mo", law, bulk_fraction=1.0), npp.Species("Ni", npp.MutualDiffusivity("Mo"))),
        stages=(npp.Stage(npp.Closed(), temperature=1373.0, duration=SECONDS),),
        initial={"Mo": npp.InitialStep(BEFORE + start, left, right)},
    )
    solution = npp.simulate(couple)
    away = np.abs(np.asarray(solution.profile(BEFORE + depth)[0]) - X)
    print(solution.summary())
    print(f"mean |dX| {away.mean():.4f}, without the point furthest off {np.sort(away)[:-1].mean():.4f}")
    print(f"median |dX| {np.median(away):.4f}, largest {away.max():.3f} at {depth[away.argmax()] * 1e6:.0f} µm")


if __name__ == "__main__":
    main()
