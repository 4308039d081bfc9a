"""Write the pages on every key anew: `python docs/make_reference.py`, after a table of the files has changed."""

from pathlib import Path

from npp_jax.commands.reference import page

KINDS = ("experiment", "study", "tracer", "tables")

if __name__ == "__main__":
    for kind in KINDS:
        target = Path(__file__).with_name(f"keys_{kind}.md")
        target.write_text(page(kind), encoding="utf-8", newline="\n")
        print(target)
