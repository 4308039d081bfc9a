"""What parameters are called in a sentence."""

from npp_jax.inference.parameter import Parameters

_OF_ION = {
    "D_m2_s": "D of {}",
    "D_bulk_m2_s": "D of {} in the bulk",
    "conductivity_S_m": "the conductivity of {}",
    "vacancy_fraction": "the vacancy fraction of {}",
    "immobile_fraction": "the immobile fraction of {}",
    "sed_fwhm_eV": "the width of the site energies of {}",
    "activation_energy_eV": "the activation energy of {}",
}
_OF_SAMPLE = {
    "thickness_um": "the thickness",
    "permittivity": "the permittivity",
    "bulk_density_m3": "the density of sites",
}
_OF_STAGE = {
    "temperature_K": "the temperature",
    "potential_V": "the potential",
    "current_density_A_m2": "the current density",
    "charge_mC_cm2": "the charge",
    "charge_C_m2": "the charge",
    "duration_s": "the duration",
    "duration_h": "the duration",
}
_OF_RESPONSE = {
    "sigma_nm": "the Gaussian width of the depth resolution",
    "leading_nm": "the leading length of the depth resolution",
    "trailing_nm": "the trailing length of the depth resolution",
    "mixing_nm": "the mixing length of the depth resolution",
    "roughness_nm": "the roughness of the depth resolution",
    "information_nm": "the information depth of the depth resolution",
}


def phrases(parameters: Parameters) -> dict[str, str]:
    """Words for parameters with common keys, by their names; two that would sound alike keep their names."""
    told: dict[str, str] = {}
    for parameter in parameters:
        parts = [key.split(".") for key in parameter.keys]
        words = {_of(key) for key in parts}
        if len(words) == 1 and None not in words:
            told[parameter.name] = str(words.pop())
    sounds = list(told.values())
    return {name: text for name, text in told.items() if sounds.count(text) == 1}


def _of(key: list[str]) -> str | None:
    match key:
        case ["sample", name]:
            return _OF_SAMPLE.get(name)
        case ["stages", "0", name]:
            return _OF_STAGE.get(name)
        case ["observation", "response", name]:
            return _OF_RESPONSE.get(name)
        case ["observation", "response", name, ion] if name in _OF_RESPONSE:
            return f"{_OF_RESPONSE[name]} for {ion}"
        case ["observation", "depth_scale"]:
            return "the depth scale"
        case ["observation", *_]:
            return None
        case [ion, name] if name in _OF_ION:
            return _OF_ION[name].format(ion)
    return None
