"""Units of parameters, as they are written for people: those of their keys."""

from npp_jax.inference.parameter import Parameter

_UNITS = {
    "eV": "eV", "K": "K", "V": "V", "nm": "nm", "um": "µm", "m3": "m⁻³", "m2_s": "m² s⁻¹", "m_s": "m s⁻¹",
    "S_m": "S m⁻¹", "s": "s", "h": "h", "mC_cm2": "mC cm⁻²", "C_m2": "C m⁻²", "A_m2": "A m⁻²",
}  # fmt: skip


def unit_of(parameter: Parameter) -> str:
    """Unit of a parameter; empty for a pure number. One without keys has that of its name."""
    names = {unit_of_key(key) for key in parameter.keys} or {_of(parameter.name)}
    return names.pop() if len(names) == 1 else ""


def unit_of_key(key: str) -> str:
    """Unit of a key such as `Li.D_m2_s`, `Li.sed_fwhm_eV.0` or `observation.K.sensitivity`."""
    parts = [part for part in key.split(".") if not part.isdigit()]
    # A fraction of a reservoir ends with the name of an ion.
    return "" if "reservoir_fraction" in parts else _of(parts[-1])


def _of(name: str) -> str:
    end = max((end for end in _UNITS if name.endswith(f"_{end}")), key=len, default=None)
    return "" if end is None else _UNITS[end]
