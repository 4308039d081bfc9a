"""Designs: which candidates a sweep evaluates. Any range of candidates can be generated alone.

Candidates are generated in aligned blocks of fixed length, each from its own numbers: `rows(design, a, b)` costs the
blocks that it touches, and equals the same rows of the whole design to the last bit.
"""

import abc
import collections
import dataclasses
import functools
import hashlib
import math

import numpy as np
from jaxtyping import Float64

from npp_jax.inference import Parameters
from npp_jax.sweeping.design.permutation import ROUNDS, permute
from npp_jax.text.errors import OneLineError

_BLOCK_BITS = 12
BLOCK = 1 << _BLOCK_BITS
"""Candidates that are generated together."""

# 2³⁰ points of resolution 2⁻³⁰; their values are exact in float64.
_SOBOL_BITS = 30
_JITTER, _KEYS, _SOBOL, _UNIFORM = range(4)


class DesignError(OneLineError):
    """A design or a table of candidates is wrong; the message is one line."""


class AbstractDesign(abc.ABC):
    """A numbered list of candidates."""

    @property
    @abc.abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the parameters with their units: the columns of `rows`."""

    @abc.abstractmethod
    def over(self, parameters: Parameters) -> "AbstractDesign":
        """The design with the columns of parameters, in their order."""

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """Number of candidates."""

    @abc.abstractmethod
    def block(self, number: int) -> Float64[np.ndarray, "candidate parameter"]:
        """Candidates from number·BLOCK to the end of the block, or at least to the end of the design."""

    @abc.abstractmethod
    def identity(self) -> bytes:
        """What differs between two designs that differ."""


def rows(design: AbstractDesign, start: int, stop: int) -> Float64[np.ndarray, "candidate parameter"]:
    """Candidates start … stop - 1 of a design.

    Parameters
    ----------
    design
        Design.
    start, stop
        First candidate and the one after the last, 0 ≤ start ≤ stop ≤ design.size.

    Returns
    -------
    Array of shape [stop - start, parameter], in the units of `design.names`; bitwise the same however the design
    is cut.

    Raises
    ------
    DesignError
        The range is not within the design.
    """
    if not 0 <= start <= stop <= design.size:
        raise DesignError(f"candidates {start} to {stop} are not within the {design.size} of the design")
    out = np.empty((stop - start, len(design.names)))
    for number in range(start // BLOCK, -(-stop // BLOCK)):
        first = number * BLOCK
        a, b = max(start, first), min(stop, first + BLOCK)
        out[a - start : b - start] = design.block(number)[a - first : b - first]
    return out


def fingerprint(design: AbstractDesign) -> str:
    """SHA-256 that changes with the candidates, in hexadecimal.

    It covers the settings and the first and last block, so that a generator of another NumPy or SciPy version that
    draws other numbers is noticed; and all values of a table.
    """
    return hashlib.sha256(design.identity()).hexdigest()


@dataclasses.dataclass(frozen=True)
class AbstractSpreadDesign(AbstractDesign):
    """A design that is spread over the ranges of parameters."""

    parameters: Parameters = dataclasses.field(default=(), kw_only=True)
    """What varies; one column each. None before `over` lays the design over those of a problem."""

    def __post_init__(self) -> None:
        if not self.parameters:
            self._check()
            return
        name, times = collections.Counter(self.names).most_common(1)[0]
        if times > 1:
            raise DesignError(f"{name}: the parameter is given twice")
        for parameter in self.parameters:
            if not parameter.bounded:
                raise DesignError(
                    f"{parameter.name}: a design needs a finite range, not ({parameter.low}, {parameter.high})"
                )
        self._check()

    def over(self, parameters: Parameters) -> "AbstractSpreadDesign":
        """The design over the ranges of parameters."""
        if not parameters:
            raise DesignError("a design needs at least one parameter")
        return dataclasses.replace(self, parameters=parameters)

    @abc.abstractmethod
    def _check(self) -> None:
        """Refuse wrong settings."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(parameter.name for parameter in self.parameters)

    def identity(self) -> bytes:
        """Settings, first and last block."""
        ends = (rows(self, 0, min(BLOCK, self.size)), rows(self, max(0, self.size - BLOCK), self.size))
        # Keys and priors do not change the candidates.
        ranges = [(p.name, p.low, p.high, p.scale, p.levels) for p in self.parameters]
        own = [getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "parameters"]
        return repr((type(self).__name__, ranges, own)).encode() + b"".join(e.astype("<f8").tobytes() for e in ends)


@dataclasses.dataclass(frozen=True)
class Grid(AbstractSpreadDesign):
    """All combinations of the levels of the parameters; the last one varies fastest.

    Raises
    ------
    DesignError
        A parameter has no levels, or two have one name.
    """

    def _check(self) -> None:
        for parameter in self.parameters:
            if parameter.levels is None:
                raise DesignError(f"{parameter.name}: a grid needs levels, the number of values of this parameter")
        if self.size >= 2**63:
            raise DesignError(f"a grid of {self.size:.3g} candidates is too large")

    @property
    def size(self) -> int:
        """Product of the numbers of levels."""
        return math.prod(p.levels or 1 for p in self.parameters)

    def block(self, number: int) -> Float64[np.ndarray, "candidate parameter"]:
        """Candidates of one block."""
        index = np.arange(number * BLOCK, min((number + 1) * BLOCK, self.size))
        places = np.unravel_index(index, [p.levels or 1 for p in self.parameters])
        return np.column_stack([p.level_values()[place] for p, place in zip(self.parameters, places, strict=True)])


@dataclasses.dataclass(frozen=True)
class AbstractSampledDesign(AbstractSpreadDesign):
    """A given number of candidates, sampled from the unit cube and stretched over the ranges.

    Raises
    ------
    DesignError
        No candidates, a negative seed, or two parameters of one name.
    """

    candidates: int
    """Number of candidates."""
    seed: int = 0
    """The same seed gives the same candidates."""

    def _check(self) -> None:
        if not 1 <= self.candidates <= 1 << _SOBOL_BITS:
            raise DesignError(f"candidates = {self.candidates} must be between 1 and {1 << _SOBOL_BITS}")
        if self.seed < 0:
            raise DesignError(f"seed = {self.seed} must not be negative")

    @property
    def size(self) -> int:
        """Number of candidates."""
        return self.candidates

    def block(self, number: int) -> Float64[np.ndarray, "candidate parameter"]:
        """Candidates of one block."""
        shares = self.shares(number)
        return np.column_stack([p.at(np.ascontiguousarray(shares[:, k])) for k, p in enumerate(self.parameters)])

    @abc.abstractmethod
    def shares(self, number: int) -> Float64[np.ndarray, "candidate parameter"]:
        """Points of one block in [0, 1)."""


@dataclasses.dataclass(frozen=True)
class Uniform(AbstractSampledDesign):
    """Independent random candidates."""

    def shares(self, number: int) -> Float64[np.ndarray, "candidate parameter"]:
        """Points of one block in [0, 1)."""
        return np.random.default_rng([self.seed, _UNIFORM, number]).random((BLOCK, len(self.parameters)))


@dataclasses.dataclass(frozen=True)
class LatinHypercube(AbstractSampledDesign):
    """Each range is cut into as many strata as there are candidates, and each stratum holds one of them.

    Strata are matched by random permutations that are computed, not stored (`permute`); the place within the stratum is
    random. M. D. McKay, R. J. Beckman and W. J. Conover, Technometrics 21 (1979) 239.
    """

    def shares(self, number: int) -> Float64[np.ndarray, "candidate parameter"]:
        """Points of one block in [0, 1)."""
        axes = len(self.parameters)
        keys = np.random.default_rng([self.seed, _KEYS]).integers(2**64, size=(axes, ROUNDS), dtype=np.uint64)
        place = np.random.default_rng([self.seed, _JITTER, number]).random((BLOCK, axes))
        index = np.arange(number * BLOCK, min((number + 1) * BLOCK, self.candidates))
        stratum = np.column_stack([permute(index, self.candidates, key) for key in keys])
        # The sum may round up to the edge of the next stratum, and the last one to 1.
        upper = np.nextafter((stratum + 1.0) / self.candidates, 0.0)
        return np.minimum((stratum + place[: len(index)]) / self.candidates, upper)


@dataclasses.dataclass(frozen=True)
class Sobol(AbstractSampledDesign):
    """Scrambled Sobol sequence: the most even of the sampled designs; a power of two of candidates is best.

    Scrambling by a random linear matrix and a digital shift (J. Matoušek, J. Complexity 14 (1998) 527) of the
    direction numbers of S. Joe and F. Y. Kuo, as in scipy.stats.qmc.
    """

    def shares(self, number: int) -> Float64[np.ndarray, "candidate parameter"]:
        """Points of one block in [0, 1).

        In the order of the Gray code g(i) = i ⊕ ⌊i/2⌋ the points are linear over bits: with i = m·2ᵏ + j and j < 2ᵏ,
        xᵢ = xⱼ ⊕ (x_{m·2ᵏ} ⊕ x₀), and x_{m·2ᵏ} ⊕ x₀ is the sum of such terms over the bits of m.
        """
        blocks = (self.candidates - 1) // BLOCK
        first, steps = _sobol_basis(len(self.parameters), self.seed, blocks.bit_length())
        shift = np.zeros(len(self.parameters), np.int64)
        for bit, step in enumerate(steps):
            if number >> bit & 1:
                shift ^= step
        return (first ^ shift) * 2.0**-_SOBOL_BITS


@functools.lru_cache(maxsize=8)
def _sobol_basis(axes: int, seed: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of the first block and the steps x_{2^b·BLOCK} ⊕ x₀ for b < bits, as integers."""
    # A second of start that what makes no such design does not pay for.
    from scipy.stats import qmc

    if axes > qmc.Sobol.MAXDIM:
        raise DesignError(f"{axes} axes; the Sobol sequence has {qmc.Sobol.MAXDIM}")
    generator = np.random.default_rng([seed, _SOBOL])
    # SciPy before 1.15 does not know the newer name `rng`; a generator means the same under both.
    engine = qmc.Sobol(axes, bits=_SOBOL_BITS, seed=generator)  # pyright: ignore[reportCallIssue]

    def take(count: int) -> np.ndarray:
        return np.rint(engine.random(count) * 2.0**_SOBOL_BITS).astype(np.int64)

    first = take(BLOCK)
    steps = []
    for bit in range(bits):
        engine.fast_forward((BLOCK << bit) - engine.num_generated)
        steps.append(take(1)[0] ^ first[0])
    return first, np.array(steps, np.int64).reshape(bits, axes)
