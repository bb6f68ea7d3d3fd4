"""Torch datasets: training clips and evaluation videos, from folders or drawn."""
