"""Why a network does not train: symptoms and suspected causes, from a run's files alone, and cures that are trained."""
