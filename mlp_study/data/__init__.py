"""Images and labels: where they come from, how they are scaled and split."""
