"""Settings of the documentation as a web site: `make docs` builds it into site/."""

from pathlib import Path

import npp_jax

# Pages lie in this folder, notebooks beside it, with links from there; where `make notebooks` has executed them, with
# what they show.
_HERE = Path(__file__).parent
for _notebook in (_HERE.parent / "notebooks").glob("*.ipynb"):
    _executed = _HERE.parent / "site" / "notebooks" / _notebook.name
    _kept = _executed.is_file() and _executed.stat().st_mtime > _notebook.stat().st_mtime
    _text = (_executed if _kept else _notebook).read_text(encoding="utf-8")
    (_HERE / _notebook.name).write_text(_text.replace("](../docs/", "]("), encoding="utf-8")

project = "npp_jax"
author = "npp_jax developers"
project_copyright = "npp_jax developers, Apache License 2.0"
version = release = npp_jax.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
# The notebooks are executed by the tests.
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True}
autodoc_class_signature = "mixed"
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_ivar = True

html_theme = "pydata_sphinx_theme"
html_title = "npp_jax"
html_theme_options = {"navigation_with_keys": False, "show_prev_next": True, "secondary_sidebar_items": ["page-toc"]}
html_show_sourcelink = False
nitpicky = True
# Prose before a colon in a docstring is read as a type, and errors that a function raises have no pages of their own.
nitpick_ignore_regex = [("py:(class|exc)", ".*")]
# For `make links`: publishers refuse programs.
linkcheck_ignore = [r"https://doi\.org/.*"]
linkcheck_timeout = 20
