"""Solvers that know no physics: block-tridiagonal systems, Newton, time steps, status."""
