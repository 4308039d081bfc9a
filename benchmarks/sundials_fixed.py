"""Conventional SUNDIALS baseline: time as variable, a fixed graded mesh, unknowns local in space.

This is the baseline that a laboratory writes without the formulation of this library: native fraction and potential in
each node with conservation of the native ions and of the current (electroneutral), or both fractions and the potential
with Poisson's equation (full), integrated in time by IDA with a banded Jacobian until the charge has passed, an event.
Nodes are as dense as the front of each candidate needs where it passes, denser at the surface and sparser ahead.
The rest of the sample is its resistance. A run begins with the untouched sample, for which all unknowns and
their rates are known exactly.

The Jacobian is IDA's own banded difference quotient: the binding hands a Jacobian over in a full matrix of the square
of the unknowns, which for thousands of nodes costs more than it saves.

The speed against the baseline that borrows the charge as clock and the mesh that moves is in `sundials_baseline`.
"""

import math
from dataclasses import dataclass

import numpy as np
import sundials_kernels as kernels
from numba import njit
from sksundae.ida import IDA
from sundials_kernels import D_BULK, D_FOREIGN, DEBYE2, POTENTIAL, SPEED, THICKNESS, diffusivity, front_scale

BACKSTOP = 50.0
"""Time after which a run is given up, over the time that the theory of the front expects."""


@dataclass(frozen=True)
class FixedSettings:
    """Mesh and tolerances of one run."""

    share: float
    """Distance of nodes over twice the width of the front that passes them."""
    grading: float
    """Greatest distance of nodes over their depth, to which `surface` is added."""
    surface: float
    """Length at the surface below which the grading stops, over the depth of the front."""
    rtol: float
    """Relative tolerance of IDA."""
    atol: float
    """Absolute tolerance of IDA on a fraction; on the potential it is this over `potential`, in kT/e."""
    potential: float = 0.01
    """Absolute tolerance on a fraction over that on the potential, in e/kT."""
    max_steps: int = 400000
    """Steps after which a run is given up."""


@njit(cache=True)
def nodes(q, p, share, grading, surface, room):
    """Depths of the nodes [nm] for a front that passes the charge q: its width times a share, at most."""
    depth = np.empty(room)
    front = p[SPEED] * q
    x, n, ahead = 0.0, 0, 0.0
    while n < room:
        depth[n] = x
        n += 1
        here = min(max(x / p[SPEED], surface * q), q)
        ell = front_scale(here, p)
        width = 2.0 * math.sqrt(ell**2 / (1.0 + ell / here) + 4.0 * p[DEBYE2])
        if x < front:
            step = 1.0 / (1.0 / (share * width) + 1.0 / (grading * (x + surface * front)))
            ahead = step
        else:
            if x > front + kernels.REACH * width:
                break
            ahead *= 1.0 + share
            step = ahead
        x += step
    return depth[:n]


@njit(cache=True, fastmath=True)
def factor(half):
    """P coth P of the half drop of the potential between two nodes: the diffusion of an exponentially fitted flux."""
    return 1.0 + half * half / 3.0 if abs(half) < 1e-2 else half / math.tanh(half)


@njit(cache=True, fastmath=True)
def neutral_residual(y, rate, residual, x, tempo, p):
    """Conservation of the native ions and of the current at the nodes; unknowns (u, φ), time in units of `tempo`."""
    n = len(x) - 1
    before, total_before = 0.0, 0.0
    for i in range(n):
        k = 2 * i
        h = x[i + 1] - x[i]
        drop = y[k + 1] - y[k + 3]
        rise = factor(0.5 * drop) * (y[k + 2] - y[k])
        here = 0.5 * (y[k] + y[k + 2])
        flux = tempo * diffusivity(here, p)[0] * (here * drop - rise) / h
        total = flux + tempo * p[D_FOREIGN] * ((1.0 - here) * drop + rise) / h
        room = 0.5 * (x[i + 1] - x[max(i - 1, 0)])
        residual[k] = room * rate[k] + flux - before
        # No native ion crosses the surface; the beam holds its potential.
        residual[k + 1] = total - total_before if i > 0 else y[1] - p[POTENTIAL]
        before, total_before = flux, total
    residual[2 * n] = y[2 * n] - 1.0
    residual[2 * n + 1] = total_before - tempo * p[D_BULK] * y[2 * n + 1] / (p[THICKNESS] - x[n])


@njit(cache=True, fastmath=True)
def full_residual(y, rate, residual, x, tempo, p):
    """Conservation of both ions and Poisson's equation at the nodes; unknowns (c₁, c₂, φ), time as for the other."""
    n = len(x) - 1
    native_before, other_before, field_before = 0.0, 0.0, 0.0
    for i in range(n):
        k = 3 * i
        h = x[i + 1] - x[i]
        drop = y[k + 2] - y[k + 5]
        fitted = factor(0.5 * drop)
        here, there = 0.5 * (y[k] + y[k + 3]), 0.5 * (y[k + 1] + y[k + 4])
        native = tempo * diffusivity(here, p)[0] * (here * drop - fitted * (y[k + 3] - y[k])) / h
        other = tempo * p[D_FOREIGN] * (there * drop - fitted * (y[k + 4] - y[k + 1])) / h
        room = 0.5 * (x[i + 1] - x[max(i - 1, 0)])
        residual[k] = room * rate[k] + native - native_before
        if i == 0:
            # The flux of the beam is what keeps the surface neutral.
            residual[1] = y[0] + y[1] - 1.0
            residual[2] = y[2] - p[POTENTIAL]
        else:
            residual[k + 1] = room * rate[k + 1] + other - other_before
            residual[k + 2] = room * (y[k] + y[k + 1] - 1.0) - p[DEBYE2] * (drop / h - field_before)
        native_before, other_before, field_before = native, other, drop / h
    residual[3 * n] = y[3 * n] - 1.0
    residual[3 * n + 1] = y[3 * n + 1]
    residual[3 * n + 2] = field_before - y[3 * n + 2] / (p[THICKNESS] - x[n])


@njit(cache=True, fastmath=True)
def uptake(y, x, stride):
    """Foreign ions in the sample over the bulk density [nm]."""
    total = 0.0
    for i in range(len(x) - 1):
        foreign = 1.0 - y[2 * i] if stride == 2 else y[3 * i + 1]
        total += 0.5 * (x[i + 1] - x[max(i - 1, 0)]) * foreign
    return total


@dataclass(frozen=True)
class FixedRun:
    """State at the charge wanted."""

    success: bool
    depth: np.ndarray
    """Depths of the nodes. [nm], shape [node]"""
    native: np.ndarray
    foreign: np.ndarray
    time: float
    """Time of the charge. [s]"""
    charge: float
    """Foreign ions in the sample over the bulk density. [nm]"""
    current: float
    """Current over the bulk density. [nm/s]"""
    evaluations: int
    """Evaluations of the residual."""


def integrate(p: np.ndarray, wanted: float, use: FixedSettings, *, neutral: bool) -> FixedRun:
    """Integrate one candidate in time until the charge `wanted` [nm] has passed; p as for the kernels."""
    x = nodes(wanted, p, use.share, use.grading, use.surface, 60000)
    stride, residual = (2, neutral_residual) if neutral else (3, full_residual)
    tempo = 0.5 * wanted * (front_scale(0.0, p) + front_scale(wanted, p)) / p[D_FOREIGN]
    y = np.zeros(stride * len(x))
    y[::stride] = 1.0
    y[stride - 1 :: stride] = p[POTENTIAL] * (1.0 - x / p[THICKNESS])
    # Nothing but the surface node changes at first: its native ions leave.
    rate = np.zeros_like(y)
    rate[0] = -tempo * p[D_BULK] * p[POTENTIAL] / p[THICKNESS] / (0.5 * x[1])
    if not neutral:
        rate[1] = -rate[0]
    atol = np.full_like(y, use.atol)
    atol[stride - 1 :: stride] = use.atol / use.potential

    def residual_function(t, y, y_rate, out):
        residual(y, y_rate, out, x, tempo, p)

    def charge_left(t, y, y_rate, events):
        events[0] = uptake(y, x, stride) - wanted

    band = 2 * stride - 1
    ida = IDA(
        residual_function,
        eventsfn=charge_left,
        num_events=1,
        linsolver="band",
        lband=band,
        uband=band,
        rtol=use.rtol,
        atol=atol,
        max_num_steps=use.max_steps,
    )
    # Three times, or every step would be kept.
    run = ida.solve(np.array([0.0, 0.5 * BACKSTOP, BACKSTOP]), y, rate)
    reached = run.t_events is not None and len(run.t_events) > 0
    last = run.y_events[-1] if reached else run.y[-1]
    native = np.array(last[::stride])
    foreign = 1.0 - native if neutral else np.array(last[1::stride])
    return FixedRun(
        success=bool(reached and np.all(np.isfinite(last))),
        depth=x,
        native=native,
        foreign=foreign,
        time=float(run.t_events[-1] * tempo) if reached else np.nan,
        charge=uptake(last, x, stride),
        current=float(p[D_BULK] * last[-1] / (p[THICKNESS] - x[-1])),
        evaluations=run.nfev,
    )
