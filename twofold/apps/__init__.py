"""The jobs, one file each: what a verb does with a trained model and the user's data."""
