"""`npp-jax design`."""
