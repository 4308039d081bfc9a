"""`npp-jax check`, one module a kind of file."""
