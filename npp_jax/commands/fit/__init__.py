"""`npp-jax fit`."""
