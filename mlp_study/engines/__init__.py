"""How runs are trained. `plain`: one with the Lightning Trainer, the oracle; `stack`: many as one tensor program.

An engine trains attempts and tells each of them its epochs; directories, skipping, failures and tables are not its
business.
"""
