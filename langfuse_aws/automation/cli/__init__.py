"""`preview`, `up`, `refresh`, `destroy`, `outputs`, `graph`, and how commands show what they do."""
