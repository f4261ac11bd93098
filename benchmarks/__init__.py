"""What backs the speeds in the README: `make bench`."""
