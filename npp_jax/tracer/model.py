"""Fractions of isotope data as functions of what is fitted, and their derivatives."""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from npp_jax.tracer.fractions import AbstractFractions
from npp_jax.tracer.unknowns import Layout, place


class AbstractTracerModel(eqx.Module):
    """Fractions of all data as functions of what is fitted; compiled once for all data of the same shapes."""

    @property
    @abstractmethod
    def data(self) -> tuple[AbstractFractions, ...]:
        """What was measured."""

    @abstractmethod
    def fractions(self, p: dict[str, Array]) -> tuple[Array, ...]:
        """Modelled fractions of each of the data, of the values by name."""

    def finer(self) -> "AbstractTracerModel | None":
        """The model on twice as many cells and time steps; None where it is exact."""
        return None


def _fractions(model: AbstractTracerModel, layout: Layout, theta: Array) -> tuple[Array, ...]:
    return model.fractions(place(layout, theta))


modelled = eqx.filter_jit(_fractions)


@eqx.filter_jit
def linearised(
    model: AbstractTracerModel, layout: Layout, theta: Float[Array, "start parameter"], batch: int | None
) -> tuple[Array, Array, Array]:
    """Residuals, their Jacobian, and the one whose square is the expected information; forward mode."""

    def one(theta: Array) -> tuple[Array, Array, Array]:
        values, push = jax.linearize(lambda theta: _fractions(model, layout, theta), theta)
        basis = jnp.eye(theta.size, dtype=theta.dtype)
        # Fewer parameters than data, so that forward mode is the shorter way.
        size = theta.size if batch is None else min(batch, theta.size)
        changes = jax.vmap(push)(basis) if size == theta.size else jax.lax.map(push, basis, batch_size=size)
        residuals, slopes, sharp = [], [], []
        for data, value, change in zip(model.data, values, changes, strict=True):
            residual, slope = jax.jvp(data.residual, (value,), (jnp.ones_like(value),))
            flat = change.reshape(theta.size, -1).T
            residuals.append(residual.ravel())
            slopes.append(slope.reshape(-1, 1) * flat)
            sharp.append(data.sharpness(value).reshape(-1, 1) * flat)
        return jnp.concatenate(residuals), jnp.concatenate(slopes), jnp.concatenate(sharp)

    if len(theta) > 1:
        return jax.vmap(one)(theta)
    # Not mapped, as the linear systems of a map then stop where each is solved.
    residual, jacobian, expected = one(theta[0])
    return residual[None], jacobian[None], expected[None]
