"""Isotope exchange and tracer diffusion, with and without grain boundaries."""
