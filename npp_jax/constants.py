"""Physical constants (CODATA 2018; e and k are exact in the SI), and the unit of length of the solver."""

ELEMENTARY_CHARGE = 1.602176634e-19
"""Elementary charge e [C]."""

BOLTZMANN = 1.380649e-23
"""Boltzmann constant k [J/K]."""

VACUUM_PERMITTIVITY = 8.8541878128e-12
"""Vacuum permittivity ε₀ [F/m]."""

BOLTZMANN_EV = BOLTZMANN / ELEMENTARY_CHARGE
"""Boltzmann constant in electron volts, k/e [eV/K]."""

FWHM_PER_SIGMA = 2.3548200450309493
"""Full width at half maximum of a Gaussian in units of its standard deviation, 2√(2 ln 2)."""

NM = 1e-9
"""Nanometre, the unit of length of the solver and of figures [m]."""
