"""The tables, one module each: the only place that knows keys, attribute names and expressions."""
