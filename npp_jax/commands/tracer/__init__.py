"""`npp-jax tracer`, one module a kind of study."""
