"""The second road: a small program that computes what a scenario file promises by brute force, in many digits.

It reads the scenario text itself, builds its own Hamiltonian and jump matrices, keeps the full column-stacked Liouvillian without any
reduction, and works in multi-digit arithmetic (python-flint). It shares nothing with the package it checks, and it is slow.
What it does not do: refuse bad input, choose methods, estimate errors (`answer(text, digits=...)` at two precisions tells what they are worth).
"""

from independent.answers import answer
from independent.reading import Case, Light, read

__all__ = ["Case", "Light", "answer", "read"]
