"""`npp-jax schema` and `npp-jax info`."""

from typing import Annotated, Literal

import typer

from npp_jax.cli.terminal import start_jax


def schema(
    kind: Annotated[
        Literal["experiment", "study", "tracer", "tables"],
        typer.Argument(help="Kind of file; tables are those of numbers, with --markdown."),
    ] = "experiment",
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a page for people: keys, units, ranges.")] = False,
) -> None:
    """Print the JSON Schema of a kind of file, for editors, or what each of its keys means."""
    from npp_jax.cli.terminal import wrong_input
    from npp_jax.commands.reference import page
    from npp_jax.commands.schema import schema_text

    if kind == "tables" and not markdown:
        raise wrong_input("tables of numbers have no JSON Schema; add --markdown for their columns")
    typer.echo(page(kind) if kind == "tables" or markdown else schema_text(kind), nl=not markdown)


def info(
    check: Annotated[bool, typer.Option(help="Compute known answers, and say which are wrong.")] = False,
) -> None:
    """Print versions and devices."""
    start_jax(computing=False)
    from npp_jax.commands.about import check_lines, info_lines
    from npp_jax.commands.progress import progress

    typer.echo("\n".join(info_lines()))
    if check:
        with progress("computing known answers", compiling=True, lines=False):
            lines, right = check_lines()
        typer.echo("\n".join(lines))
        if not right:
            raise typer.Exit(4)
