"""mlp_study's plugins, in the namespace that Hydra searches. Every Hydra program imports them: no torch here."""
