"""`npp-jax new`, one module a kind of file."""
