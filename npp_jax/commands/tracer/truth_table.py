"""[truth] of a tracer study: what synthetic data were made with."""

from npp_jax.commands.tracer.tables import Positive
from npp_jax.files import ConfigTable, Fraction


class TruthTable(ConfigTable):
    """[truth]: with what synthetic data were made; reports set it beside the result. Lists are in the order of that."""

    D_m2_s: Positive | list[Positive] | None = None
    """D; of an evolution one for each temperature, ascending."""
    Dt_m2: Positive | None = None
    """D times the duration."""
    k_m_s: Positive | None = None
    """Surface exchange coefficient."""
    energy_eV: Positive | None = None
    """Activation energy."""
    permeability_m_s: Positive | list[Positive] | None = None
    """D_gb/δ; of several boundaries one for each."""
    D_bulk_m2_s: Positive | None = None
    """D of the grains."""
    fast_ratio: Positive | None = None
    """D of the fast path over that of the slow one."""
    fast_share: Fraction | None = None
    """Share of the fast path."""
    D_slope: float | None = None
    """ln D at the source less that of the untouched sample."""
    surface: Fraction | None = None
    """Fraction of the source."""
    base: Fraction | None = None
    """Fraction of the untouched sample."""

    def of(self, key: str, number: int) -> float | None:
        """The value behind one of the quantities of a key, if it is told."""
        value = getattr(self, key, None) if key else None
        if isinstance(value, list):
            return value[number] if number < len(value) else None
        return value

    def told(self) -> bool:
        """Whether anything is."""
        return bool(self.model_fields_set)
