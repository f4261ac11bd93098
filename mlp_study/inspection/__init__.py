"""What `python -m mlp_study.inspect` is made of: weights, hidden representations, and pictures of them."""
