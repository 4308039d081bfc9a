"""`npp-jax explore`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from npp_jax.cli.terminal import cannot_write, exit_codes, say, start_jax


def explore(
    file: Annotated[
        Path, typer.Argument(help="Study, experiment or tracer study (TOML), or result of a sweep (HDF5).")
    ],
    data: Annotated[Path | None, typer.Argument(help="Profile measured on the experiment; study of the sweep.")] = None,
    setting: Annotated[
        Literal["fast", "accurate", "full"] | None,
        typer.Option(
            help="Of the pictures once nothing moves: numerical setting, or the full model; accurate if not given, or "
            "full where the study says so."
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of this machine; 0 for any free one.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Move parameters by hand in the browser and see profiles follow; a page of this machine alone, offline."""
    from npp_jax.commands.progress import progress

    # Some seconds, in which nothing else would be seen.
    with progress(f"starting JAX and reading {file.name}", lines=False):
        start_jax()
        from npp_jax.explorer.run import check_bokeh, page_of

        with exit_codes():
            check_bokeh()
            build = page_of(file, data, release=setting)
            from npp_jax.explorer.serve import ADDRESS, PageServer, open_in_browser

            try:
                server = PageServer(build, port=port)
            except OSError as error:
                error.filename = f"{ADDRESS}:{port}"
                raise cannot_write(error) from None
    say(f"{server.url}\nOpen this address in a browser of this machine; Ctrl-C ends.")
    if browser:
        try:
            open_in_browser(server.url)
        except OSError as error:
            # The address is told above.
            say(f"npp-jax: no browser is opened: {error}", err=True)
    server.run()
