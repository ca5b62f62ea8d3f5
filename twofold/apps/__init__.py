"""The jobs that a trained run does, one file a job."""
