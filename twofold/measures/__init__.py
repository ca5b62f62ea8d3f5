"""Numbers that say how good a model is; one file a family of measures, found by walking."""
