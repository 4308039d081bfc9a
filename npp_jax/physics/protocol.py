"""Fronts (what happens at the bombarded surface) and the stages of an experiment, as data."""

from typing import Literal, NamedTuple

import equinox as eqx
from jaxtyping import Array, Float

from npp_jax.physics.checks import expect
from npp_jax.physics.drive import Drive, as_drive
from npp_jax.physics.leaf import as_leaf, as_optional_leaf


class AbstractFront(eqx.Module):
    """Condition at the surface x = 0 during one stage."""


class IonBeamPotential(AbstractFront):
    """Ion beam that holds the surface at a potential U(t); its current is a result."""

    beam: str = eqx.field(static=True)
    """Name of the species in the beam."""
    potential: Drive = eqx.field(converter=as_drive)
    """Surface potential against the back electrode; a number for a constant one [V]."""


class IonBeamCurrent(AbstractFront):
    """Ion beam of prescribed current density j(t); the surface potential is a result."""

    beam: str = eqx.field(static=True)
    """Name of the species in the beam."""
    current_density: Drive = eqx.field(converter=as_drive)
    """Current density, positive into the sample; a number for a constant one [A/m²]."""


class Closed(AbstractFront):
    """Beam off: no flux of any species through the surface, no current (rest, anneal)."""


class Reservoir(AbstractFront):
    """Ion exchange with a melt or solution of fixed composition, no total current.

    The surface has the composition of the reservoir, or, with an exchange rate k, approaches it:
    J_i(0) = k [n_i,reservoir - n_i(0)], one k for all ions as no current flows.
    """

    fraction: dict[str, Float[Array, "*#batch"]] = eqx.field(
        converter=lambda fraction: {name: as_leaf(value) for name, value in fraction.items()}
    )
    """Fraction n/N of each species that is in equilibrium with the reservoir [1]."""
    exchange_rate: Float[Array, "*#batch"] | None = eqx.field(converter=as_optional_leaf, default=None)
    """Surface exchange coefficient k; None for an exchange too fast to matter [m/s]."""


class Blocking(AbstractFront):
    """Electrode that passes no ion (thermal poling), at a potential U(t)."""

    potential: Drive = eqx.field(converter=as_drive)
    """Surface potential against the back electrode; a number for a constant one [V]."""


class Cut(NamedTuple):
    """End of a part and start of the next, between two knots."""

    left: int
    right: int
    kind: Literal["jump", "off", "on"]
    left_over: float = 1.0
    """Value next to the rest as a share of that of the knot, where a beam is switched off or on."""


class Part(NamedTuple):
    """Part of a stage."""

    begin: Cut | None
    """None: start of the stage."""
    end: Cut | None
    """None: end of the stage."""
    resting: bool
    outputs: tuple[float, ...]
    """Output points as shares of the part; the last is 1."""
    seen: bool
    """Whether its end is an output."""
    level: bool
    """Whether the drive does not change in it."""


class Stage(eqx.Module):
    """A part of the protocol with one front and one temperature, ending at a duration or at a charge."""

    front: AbstractFront
    """Condition at the surface."""
    temperature: Float[Array, "*#batch"] = eqx.field(converter=as_leaf)
    """Temperature [K]."""
    duration: Float[Array, "*#batch"] | None = eqx.field(converter=as_optional_leaf, default=None)
    """Length of the stage; None if it ends at a charge [s]."""
    charge: Float[Array, "*#batch"] | None = eqx.field(converter=as_optional_leaf, default=None)
    """Charge per area passed during the stage; None if it ends at a duration [C/m²]."""
    outputs: tuple[float, ...] = eqx.field(static=True, default=(1.0,))
    """Output points as shares of the duration (or charge), increasing, the last being 1."""
    parts: tuple[Part, ...] = eqx.field(static=True, default=())
    """Parts between the jumps and rests of a trace, which the experiment finds; none where it changes evenly."""

    def __check_init__(self) -> None:
        """A front, exactly one end, and outputs that increase to one."""
        expect(self.front, AbstractFront, "the front of a stage", "for example IonBeamPotential(beam, potential)")
        if (self.duration is None) == (self.charge is None):
            raise ValueError("a stage ends either at a duration or at a charge: give exactly one of them")
        if not self.outputs:
            raise ValueError("a stage needs at least one output, the last being 1")
        increasing = all(a < b for a, b in zip((0.0, *self.outputs), self.outputs, strict=False))
        if not increasing or abs(self.outputs[-1] - 1.0) > 1e-12:
            raise ValueError(f"outputs must increase from above 0 to 1, got {self.outputs}")
