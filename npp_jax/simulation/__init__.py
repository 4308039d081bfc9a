"""From an experiment to its solution: the place where physics, scheme and solver meet."""
