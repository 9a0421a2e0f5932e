"""How updates become one: one strategy a file, each a pure function over the clusters' values."""
