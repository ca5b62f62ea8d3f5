"""What a person reads: the page of a run, the page that compares runs, the card."""
