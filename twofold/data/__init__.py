"""From files to observations and back: kinds, sources, splits, sets by name, and the doctor."""
