"""Fluxes and equations of the two models, for a pair of ions and for any number."""
