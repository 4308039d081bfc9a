"""Reports: a tree of blocks, which becomes one page of HTML or a text of Markdown."""
