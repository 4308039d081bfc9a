"""Work of the commands, one module or package a use case: what to do, what to say, what to write."""
