"""Tridiagonal systems of diffusion: a ladder of capacities, with conductances between neighbours.

The matrix is M + G, with positive capacities M on the diagonal and G the Laplacian of the conductances. Elimination
that keeps the excess of the diagonal as a number of its own only adds, multiplies and divides positive numbers: nothing
cancels, however large the conductances are beside the capacities, and Σ M x = Σ b holds to round-off. With the diagonal
stored as one sum, the capacity loses as many digits as the ratio of the two has.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def ladder_product(
    capacity: Float[Array, " cell"], conductance: Float[Array, " inner"], x: Float[Array, " cell"]
) -> Float[Array, " cell"]:
    """(M + G) x: capacity times value, plus what flows out to the neighbours."""
    flow = conductance * (x[:-1] - x[1:])
    return (capacity * x).at[:-1].add(flow).at[1:].add(-flow)


def solve_ladder(
    capacity: Float[Array, " cell"], conductance: Float[Array, " inner"], rhs: Float[Array, " cell"]
) -> Float[Array, " cell"]:
    """Solve (M + G) x = b; derivatives in both modes are those of the solution, not of the elimination.

    Parameters
    ----------
    capacity
        M, positive.
    conductance
        Conductances between neighbours, zero or positive.
    rhs
        b.
    """

    def eliminate(carry: tuple[Array, Array], row: tuple[Array, ...]) -> tuple[tuple[Array, Array], tuple]:
        excess, right = carry
        link, next_capacity, next_right = row
        pivot = excess + link
        share = link / pivot
        return (next_capacity + excess * share, next_right + right * share), (right / pivot, share)

    def substitute(following: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        own, share = row
        value = own + share * following
        return value, value

    def solve(_, right: Array) -> Array:
        first = (capacity[0], right[0])
        (excess, last), rows = jax.lax.scan(eliminate, first, (conductance, capacity[1:], right[1:]))
        end = last / excess
        _, inner = jax.lax.scan(substitute, end, rows, reverse=True)
        return jnp.append(inner, end)

    return jax.lax.custom_linear_solve(
        lambda x: ladder_product(capacity, conductance, x), rhs, solve, transpose_solve=solve, symmetric=True
    )
