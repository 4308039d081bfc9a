"""Compiled kernels of the SUNDIALS baseline: theory of the front, moving mesh, residuals and banded Jacobians.

Lengths are in nm, times in s, potentials in kT/e, fractions in units of the bulk density. The clock is s = ln q, q the
charge passed as a length (over eN and area). Parameters of a candidate travel in one array, in the order of the
constants below.

All kernels are in one module because the compilation cache of numba sees changes of the module of a kernel only, not of
the kernels it calls elsewhere.
"""

import math

import numpy as np
from numba import njit

D_BULK, D_FOREIGN, SLOPE, Z_BULK, FILLED, POTENTIAL, THICKNESS, DEBYE2, SPEED, SPREADING, RAMP, FOOT, GROWTH = range(13)
PARAMETERS = 13

ROWS = 7
"""Rows of the work array: current and clock, faces, their velocities, and what a model stores of its faces."""

FLOOR = 1e-6
"""Least filling argument of the diffusivity, as in the reference solutions."""

REACH = 10.0
"""Extent of the mesh ahead of the front, in the length resolved around it."""

SURFACE_SLOPE, SURFACE_WIDTH, FRONT_SHARE = 0.1, 0.15, 0.6


@njit(cache=True, fastmath=True)
def quantile(p):
    """Inverse of the standard normal distribution function (Acklam 2003, relative error 1e-9)."""
    tail = min(p, 1.0 - p)
    if tail < 0.02425:
        t = math.sqrt(-2.0 * math.log(max(tail, 1e-30)))
        top = -7.784894002430293e-03 * t - 3.223964580411365e-01
        top = ((top * t - 2.400758277161838e00) * t - 2.549732539343734e00) * t + 4.374664141464968e00
        top = top * t + 2.938163982698783e00
        bottom = ((7.784695709041462e-03 * t + 3.224671290700398e-01) * t + 2.445134137142996e00) * t
        bottom = (bottom + 3.754408661907416e00) * t + 1.0
        return top / bottom if p < 0.5 else -top / bottom
    q = p - 0.5
    r = q * q
    top = -3.969683028665376e01 * r + 2.209460984245205e02
    top = ((top * r - 2.759285104469687e02) * r + 1.383577518672690e02) * r - 3.066479806614716e01
    top = (top * r + 2.506628277459239e00) * q
    bottom = -5.447609879822406e01 * r + 1.615858368580409e02
    bottom = ((bottom * r - 1.556989798598866e02) * r + 6.680131188771972e01) * r - 1.328068155288572e01
    return top / (bottom * r + 1.0)


@njit(cache=True, fastmath=True)
def diffusivity(u, p):
    """Native diffusivity D₁(u) [nm²/s] and its logarithmic slope dlnD₁/du."""
    inside = FLOOR < u < 1.0
    y = min(max(u, FLOOR), 1.0)
    z = quantile(p[FILLED] * y)
    slope = p[SLOPE] * p[FILLED] * math.sqrt(2.0 * math.pi) * math.exp(0.5 * z * z) if inside else 0.0
    return p[D_BULK] * math.exp(p[SLOPE] * (z - p[Z_BULK])), slope


@njit(cache=True, fastmath=True)
def share(u, p):
    """Mobilities of the neutral mixture: D₁, D₂/s and the slope of the transport number t₁ = D₁u/s."""
    native, kappa = diffusivity(u, p)
    s = native * u + p[D_FOREIGN] * (1.0 - u)
    w = native / s
    r = p[D_FOREIGN] / native
    w_slope = -w * w * (1.0 - r - kappa * r * (1.0 - u))
    return native, s, w, w_slope, w + u * w_slope


@njit(cache=True)
def front_theory(p, position, fraction):
    """Foot, speed, ramp and its resistance in the high-field limit (Welge's tangent), written into p and the tables."""
    low, high = -16.0, 9.0
    best, value = low, 0.0
    # The chord from u = 1, (1 - t₁)/(1 - u) = D₂/s, is steepest at the foot.
    for _ in range(5):
        value = 0.0
        step = (high - low) / 60
        for k in range(61):
            u = 1.0 / (1.0 + math.exp(-(low + k * step)))
            chord = p[D_FOREIGN] / share(u, p)[1]
            if chord > value:
                value, best = chord, low + k * step
        low, high = best - step, best + step
    foot = 1.0 / (1.0 + math.exp(-best))
    p[FOOT] = foot if value > 1.0 else 0.0
    p[SPEED] = max(value, 1.0)
    p[SPREADING] = max(p[D_FOREIGN] / p[D_BULK] - p[SPEED], 0.0)
    n = len(position)
    p[RAMP], before = 0.0, 0.0
    for k in range(n):
        u = p[FOOT] * (k / (n - 1)) ** 2
        _, s, _, _, speed = share(max(u, 1e-9), p)
        position[k] = 0.0 if k == 0 else max(min(speed, p[SPEED]), position[k - 1])
        fraction[k] = u
        if k == n - 1:
            position[k] = p[SPEED]
        if k > 0:
            p[RAMP] += 0.5 * (before + 1.0 / s) * (position[k] - position[k - 1])
        before = 1.0 / s


@njit(cache=True)
def front_scale(q, p):
    """Predicted ℓ = D₂/v₀ [nm]: bulk in series with the exchanged layer, whose resistance grows with the charge."""
    growth = p[RAMP] - p[SPEED] / p[D_BULK]
    return p[D_FOREIGN] * (p[THICKNESS] / p[D_BULK] + growth * q) / p[POTENTIAL]


@njit(cache=True)
def match_growth(q, p, behind, ahead):
    """Growth of the cells ahead of the front with which their width is continuous at a charge q."""
    ell = front_scale(q, p)
    a = 2.0 * math.sqrt(ell**2 / (1.0 + ell / q) + 4.0 * p[DEBYE2])
    root = math.sqrt(1.0 + SURFACE_WIDTH**2)
    cell = FRONT_SHARE * math.asinh(p[SPEED] * q / a) * (SURFACE_SLOPE + 1.0 / root)
    cell /= (SURFACE_SLOPE + root - SURFACE_WIDTH) * behind
    low, high = 0.5, 8.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        if REACH * middle / math.sinh(middle) > cell * ahead:
            low = middle
        else:
            high = middle
    return low


@njit(cache=True)
def mesh(s, p, behind, faces, velocity):
    """Faces [nm] and their velocities per unit of s: a formula that follows front, its width and the surface."""
    q = math.exp(s)
    ell = front_scale(q, p)
    ell_rate = 1.0 - front_scale(0.0, p) / ell
    young = ell / math.sqrt(1.0 + ell / q)
    young_rate = ell_rate - 0.5 * (ell / q) * (ell_rate - 1.0) / (1.0 + ell / q)
    a = 2.0 * math.sqrt(young**2 + 4.0 * p[DEBYE2])
    da = 4.0 * young**2 * young_rate / a
    front = p[SPEED] * q
    ratio = front / a
    b = math.asinh(ratio)
    db = ratio * (1.0 - da / a) / math.sqrt(1.0 + ratio**2)
    root = math.sqrt(1.0 + SURFACE_WIDTH**2)
    end = SURFACE_SLOPE + root - SURFACE_WIDTH
    for i in range(behind):
        eta = i / behind
        tau = 1.0 - (SURFACE_SLOPE * eta + math.sqrt(eta**2 + SURFACE_WIDTH**2) - SURFACE_WIDTH) / end
        e = math.exp(b * tau)
        sinh, cosh = 0.5 * (e - 1.0 / e), 0.5 * (e + 1.0 / e)
        far = (1.0 - FRONT_SHARE) * tau**3
        faces[i] = front - FRONT_SHARE * a * sinh - far * front
        velocity[i] = front * (1.0 - far) - FRONT_SHARE * (da * sinh + a * cosh * tau * db)
    ahead = len(faces) - 1 - behind
    scale = REACH / math.sinh(p[GROWTH])
    spread = p[SPREADING] * q
    for i in range(ahead + 1):
        t = i / ahead
        e = math.exp(p[GROWTH] * t)
        sinh = 0.5 * scale * (e - 1.0 / e)
        faces[behind + i] = front + a * sinh + spread * t * t
        velocity[behind + i] = front + da * sinh + spread * t * t
    faces[0] = 0.0
    velocity[0] = 0.0


@njit(cache=True)
def place(s, p, behind, work):
    """Mesh at s, kept in `work` until the clock moves on: rows are faces, velocities; the clock is the last entry."""
    if work[0, -1] != s:
        mesh(s, p, behind, work[1, :-1], work[2, :-1])
        work[0, -1] = s


@njit(cache=True, fastmath=True)
def neutral_residual(s, u, rate, residual, p, behind, work):
    """d(h u)/ds + ΔF of the electroneutral model, F the native flux relative to the moving faces."""
    place(s, p, behind, work)
    faces, velocity = work[1], work[2]
    n = len(u)
    q = math.exp(s)
    resistance = (p[THICKNESS] - 0.5 * (faces[n] + faces[n - 1])) / p[D_BULK]
    drop = 0.0
    # Fluxes need the current and the current a sum over all faces: migration now, diffusion when it is known.
    for i in range(1, n):
        here = 0.5 * (u[i - 1] + u[i])
        native, sigma, w, _, slope = share(here, p)
        distance = 0.5 * (faces[i + 1] - faces[i - 1])
        gradient = (u[i] - u[i - 1]) / distance
        weight = distance + 0.5 * faces[1] if i == 1 else distance
        drop += weight * (native - p[D_FOREIGN]) * gradient / sigma
        resistance += weight / sigma
        work[3, i] = q * w * here - velocity[i] * here
        work[4, i] = q * w * gradient
        work[5, i] = 0.5 * distance * (q * slope - velocity[i]) / (q * w)
    ell = p[D_FOREIGN] * resistance / (p[POTENTIAL] - drop)
    work[0, 0] = p[D_FOREIGN] / ell
    before = 0.0
    for i in range(1, n + 1):
        if i < n:
            peclet = work[5, i] / ell
            flux = work[3, i] - ell * math.sqrt(1.0 + peclet * peclet) * work[4, i]
        else:
            flux = q - velocity[n]
        k = i - 1
        residual[k] = (faces[i] - faces[k]) * rate[k] + (velocity[i] - velocity[k]) * u[k] + flux - before
        before = flux


@njit(cache=True, fastmath=True)
def neutral_jacobian(s, u, cj, jacobian, p, behind, work):
    """Tridiagonal Jacobian at fixed current and fixed stabilising factor."""
    place(s, p, behind, work)
    faces, velocity = work[1], work[2]
    n = len(u)
    q = math.exp(s)
    ell = p[D_FOREIGN] / work[0, 0]
    for i in range(n):
        jacobian[i, i] = cj * (faces[i + 1] - faces[i]) + velocity[i + 1] - velocity[i]
    for i in range(1, n):
        here = 0.5 * (u[i - 1] + u[i])
        _, _, w, w_slope, slope = share(here, p)
        distance = 0.5 * (faces[i + 1] - faces[i - 1])
        peclet = 0.5 * distance * (q * slope - velocity[i]) / (q * ell * w)
        factor = q * ell * math.sqrt(1.0 + peclet * peclet) / distance
        common = 0.5 * (q * slope - velocity[i]) - 0.5 * factor * w_slope * (u[i] - u[i - 1])
        by_left, by_right = common + factor * w, common - factor * w
        jacobian[i - 1, i - 1] += by_left
        jacobian[i - 1, i] = by_right
        jacobian[i, i - 1] = -by_left
        jacobian[i, i] -= by_right


@njit(cache=True)
def neutral_start(s, p, behind, work, position, fraction, n):
    """Profile at a small charge: ramp and front of the theory, or the heat kernel where the front is still wider."""
    place(s, p, behind, work)
    faces = work[1]
    q = math.exp(s)
    ell = front_scale(q, p)
    # Space charge widens the front: at most the native ions can be missing.
    ell = math.sqrt(ell**2 + 4.0 * p[DEBYE2] + (2.5 * p[DEBYE2] / ell) ** 2)
    u, rooted = np.empty(n), np.sqrt(fraction)
    stretch = 1.0
    # The amount removed must be the charge passed, or the front stays displaced for ever: stretch until it is.
    for _ in range(4):
        removed = 0.0
        for i in range(n):
            x = 0.5 * (faces[i] + faces[i + 1]) / stretch
            if q < 3.0 * ell:
                # Surface flux of native ions zero at u ≈ 1 and diffusivity ℓ in the clock q: the ierfc solution.
                length = 2.0 * math.sqrt(ell * q)
                z = x / length
                here = 1.0 - length / ell * (math.exp(-z * z) / math.sqrt(math.pi) - z * math.erfc(z))
            else:
                ramp = np.interp(x / q, position, rooted) ** 2
                here = ramp + (1.0 - ramp) / (1.0 + math.exp(min((p[SPEED] * q - x) * p[SPEED] / ell, 500.0)))
            u[i] = min(max(here, 1e-6), 1.0)
            removed += (1.0 - u[i]) * (faces[i + 1] - faces[i])
        stretch *= q / removed
    return u


@njit(cache=True)
def neutral_history(clock, states, p, behind, work, current):
    """Current at each step of a run; leaves the mesh of the last one in `work`."""
    scratch = np.empty(states.shape[1])
    for k in range(len(clock)):
        neutral_residual(clock[k], states[k], states[k], scratch, p, behind, work)
        current[k] = work[0, 0]


@njit(cache=True, fastmath=True)
def foreign_fraction(y, p, faces, foreign):
    """Foreign fraction in the cells, by Gauss' law."""
    n = len(foreign)
    for i in range(n):
        foreign[i] = 1.0 - y[2 * i]
        if 0 < i < n - 1:
            foreign[i] += p[DEBYE2] * (y[2 * i + 1] - y[2 * i - 1]) / (faces[i + 1] - faces[i])


@njit(cache=True, fastmath=True)
def closure(y, p, q, work):
    """Current v₀ [nm/s] from the potential over the sample; fills rows of `work` with what the fluxes need.

    The displacement current, 1e-7 of the total, is left out of this sum: otherwise the current would be a Lagrange
    multiplier of the constraint on the potential, which raises the index of the system.
    """
    faces, velocity, foreign = work[1], work[2], work[6]
    n = len(y) // 2
    foreign_fraction(y, p, faces, foreign[:n])
    beyond = (p[THICKNESS] - 0.5 * (faces[n] + faces[n - 1])) / p[D_BULK]
    current = 0.0
    for again in range(2):
        resistance, drop = beyond, 0.0
        for i in range(1, n):
            left, right = y[2 * i - 2], y[2 * i]
            distance = 0.5 * (faces[i + 1] - faces[i - 1])
            weight = distance + 0.5 * faces[1] if i == 1 else distance
            if again == 0:
                native, _, w, _, slope = share(0.5 * (left + right), p)
                work[3, i] = native
                # Péclet number of the cell times v₀/D₂, the current being unknown.
                work[5, i] = 0.5 * distance * (q * slope - velocity[i]) / (q * w) / p[D_FOREIGN]
                work[4, i] = 1.0
            else:
                work[4, i] = math.sqrt(1.0 + (work[5, i] * current) ** 2)
            native = work[3, i]
            conductance = native * 0.5 * (left + right) + p[D_FOREIGN] * 0.5 * (foreign[i - 1] + foreign[i])
            diffusion = work[4, i] * (native * (right - left) + p[D_FOREIGN] * (foreign[i] - foreign[i - 1])) / distance
            drop += weight * diffusion / conductance
            resistance += weight / conductance
        current = (p[POTENTIAL] - drop) / resistance
    return current


@njit(cache=True, fastmath=True)
def full_residual(s, y, rate, residual, p, behind, work):
    """Residuals of conservation and of the total current."""
    place(s, p, behind, work)
    faces, velocity, foreign = work[1], work[2], work[6]
    n = len(y) // 2
    q = math.exp(s)
    current = closure(y, p, q, work)
    work[0, 0] = current
    tempo = q / current
    before = 0.0
    for i in range(1, n + 1):
        k = i - 1
        field = y[2 * k + 1]
        if i < n:
            left, right = y[2 * k], y[2 * i]
            distance = 0.5 * (faces[i + 1] - faces[i - 1])
            here, there = 0.5 * (left + right), 0.5 * (foreign[k] + foreign[i])
            factor = work[4, i] / distance
            native = tempo * work[3, i] * (here * field - factor * (right - left))
            other = tempo * p[D_FOREIGN] * (there * field - factor * (foreign[i] - foreign[k]))
            residual[2 * k + 1] = p[DEBYE2] * rate[2 * k + 1] - (
                q - native - other + velocity[i] * (here + there - 1.0)
            )
            flux = native - velocity[i] * here
        else:
            residual[2 * k + 1] = tempo * p[D_BULK] * field - q
            flux = q - velocity[n]
        width = faces[i] - faces[k]
        residual[2 * k] = width * rate[2 * k] + (velocity[i] - velocity[k]) * y[2 * k] + flux - before
        before = flux


@njit(cache=True, fastmath=True)
def full_jacobian(s, y, cj, jacobian, p, behind, work):
    """Pentadiagonal Jacobian at fixed current and fixed stabilising factor."""
    place(s, p, behind, work)
    faces, velocity, foreign = work[1], work[2], work[6]
    n = len(y) // 2
    q = math.exp(s)
    tempo = q / closure(y, p, q, work)
    for row in range(2 * n):
        for column in range(max(row - 2, 0), min(row + 3, 2 * n)):
            jacobian[row, column] = 0.0
    for i in range(n):
        jacobian[2 * i, 2 * i] = cj * (faces[i + 1] - faces[i]) + velocity[i + 1] - velocity[i]
    for i in range(1, n):
        k = i - 1
        left, right, field = y[2 * k], y[2 * i], y[2 * k + 1]
        here, there = 0.5 * (left + right), 0.5 * (foreign[k] + foreign[i])
        distance = 0.5 * (faces[i + 1] - faces[i - 1])
        factor = work[4, i] / distance
        native, kappa = diffusivity(here, p)
        bend = 0.5 * kappa * (here * field - factor * (right - left))
        by_left = tempo * native * (bend + 0.5 * field + factor)
        by_right = tempo * native * (bend + 0.5 * field - factor)
        by_field = tempo * native * here
        other_left = tempo * p[D_FOREIGN] * (0.5 * field + factor)
        other_right = tempo * p[D_FOREIGN] * (0.5 * field - factor)
        gauss_left = p[DEBYE2] / (faces[i] - faces[k]) if k > 0 else 0.0
        gauss_right = p[DEBYE2] / (faces[i + 1] - faces[i]) if i < n - 1 else 0.0
        # Conservation: the flux leaves cell k and enters cell i; its mesh part too.
        flux_left, flux_right = by_left - 0.5 * velocity[i], by_right - 0.5 * velocity[i]
        jacobian[2 * k, 2 * k] += flux_left
        jacobian[2 * k, 2 * i] += flux_right
        jacobian[2 * k, 2 * k + 1] += by_field
        jacobian[2 * i, 2 * k] -= flux_left
        jacobian[2 * i, 2 * i] -= flux_right
        jacobian[2 * i, 2 * k + 1] -= by_field
        # Total current: c₂ depends on c₁ of its own cell and on the fields on either side.
        row = 2 * k + 1
        along = p[D_FOREIGN] * tempo * there
        push_left, push_right = other_left - 0.5 * velocity[i], other_right - 0.5 * velocity[i]
        jacobian[row, 2 * k] = by_left - 0.5 * velocity[i] - push_left
        jacobian[row, 2 * i] = by_right - 0.5 * velocity[i] - push_right
        jacobian[row, row] = cj * p[DEBYE2] + by_field + along + push_left * gauss_left - push_right * gauss_right
        if k > 0:
            jacobian[row, row - 2] = -push_left * gauss_left
        if i < n - 1:
            jacobian[row, row + 2] = push_right * gauss_right
    jacobian[2 * n - 1, 2 * n - 1] = tempo * p[D_BULK]


@njit(cache=True)
def full_start(s, u, p, behind, work):
    """Unknowns of a neutral sample of composition u: the field that makes the current uniform."""
    place(s, p, behind, work)
    faces = work[1]
    n = len(u)
    y = np.empty(2 * n)
    for i in range(n):
        y[2 * i], y[2 * i + 1] = u[i], 0.0
    none = p[DEBYE2]
    p[DEBYE2] = 0.0
    current = closure(y, p, math.exp(s), work)
    p[DEBYE2] = none
    for i in range(1, n):
        native = work[3, i]
        here = 0.5 * (u[i - 1] + u[i])
        rise = work[4, i] * (u[i] - u[i - 1]) / (0.5 * (faces[i + 1] - faces[i - 1]))
        y[2 * i - 1] = (current + (native - p[D_FOREIGN]) * rise) / (native * here + p[D_FOREIGN] * (1.0 - here))
    y[2 * n - 1] = current / p[D_BULK]
    return y


@njit(cache=True)
def full_history(clock, states, p, behind, work, current):
    """Current at each step of a run; leaves mesh and foreign fractions of the last one in `work`."""
    for k in range(len(clock)):
        place(clock[k], p, behind, work)
        current[k] = closure(states[k], p, math.exp(clock[k]), work)


@njit(cache=True)
def passed_time(clock, current):
    """∫dq/v₀ between the first and the last charge, by the mean of the two parabolas through each interval [s]."""
    total = 0.0
    n = len(clock)
    for k in range(n - 1):
        a, b = math.exp(clock[k]), math.exp(clock[k + 1])
        left, right = 1.0 / current[k], 1.0 / current[k + 1]
        bend, sides = 0.0, 0
        for j in (k - 1, k + 2):
            if 0 <= j < n:
                x = math.exp(clock[j])
                # Second divided difference; the parabola differs from the chord by it times (q - a)(q - b).
                bend += ((1.0 / current[j] - left) / (x - a) - (right - left) / (b - a)) / (x - b)
                sides += 1
        total += 0.5 * (left + right) * (b - a) - bend / max(sides, 1) * (b - a) ** 3 / 6.0
    return total
