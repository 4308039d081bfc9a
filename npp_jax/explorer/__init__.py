"""A page in the browser on which parameters are moved by hand and profiles follow; needs the extra `explore`."""
