"""`python -m npp_jax` is the command `npp-jax`."""

from npp_jax.cli import main

if __name__ == "__main__":
    main()
