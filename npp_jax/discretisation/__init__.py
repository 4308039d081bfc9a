"""Finite volumes on a mesh that follows the front: mesh, fluxes, and the two models."""
