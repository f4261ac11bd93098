"""What goes by a name: initializers, optimizers, schedules; each a class with its numbers, their bounds, its formula.

A class here is all that a new one takes in Python; a YAML file in conf/ gives its numbers their defaults. Torch is
imported where one is used, not here: the command line reads these classes before it knows whether a run will start.
"""
