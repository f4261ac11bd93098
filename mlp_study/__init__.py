"""mlp_study: what makes a multilayer perceptron train, and what stops it?"""

__version__ = "0.1.0"
